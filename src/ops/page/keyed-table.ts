import { append, setAttribute } from "./dom.ts";

/** One column of a table. The first one holds the headings of the rows. */
export interface Column<Row> {
  readonly title: string;
  /** Classes of its cells (none, which stands to the right, as numbers do). */
  readonly className?: string;
  /** Fills a new cell, and returns what brings it up to date. */
  readonly create: (cell: HTMLElement) => (row: Row) => void;
}

export interface TableOptions<Row> {
  readonly columns: readonly Column<Row>[];
  /** What makes a row the same as one of the update before. */
  readonly keyOf: (row: Row) => string;
  /** What stands there without rows. */
  readonly empty: string;
}

interface LiveRow<Row> {
  readonly element: HTMLTableRowElement;
  update(row: Row): void;
}

/**
 * A table whose rows stay the same elements as long as what they stand for exists. The roles are said once more because
 * browsers drop them where a style sheet lays a table out as blocks.
 */
export class KeyedTable<Row> {
  readonly #body: HTMLTableSectionElement;
  readonly #options: TableOptions<Row>;
  readonly #empty: HTMLTableRowElement;
  #rows = new Map<string, LiveRow<Row>>();

  constructor(table: HTMLElement, options: TableOptions<Row>) {
    const { columns, empty } = options;
    this.#options = options;
    table.setAttribute("role", "table");
    const head = withRole(append(table, "thead"), "rowgroup");
    const headRow = withRole(append(head, "tr"), "row");
    for (const { title, className } of columns) {
      const heading = withRole(append(headRow, "th", className), "columnheader");
      heading.scope = "col";
      heading.textContent = title;
    }
    this.#body = withRole(append(table, "tbody"), "rowgroup");
    this.#empty = withRole(append(this.#body, "tr", "none"), "row");
    const cell = withRole(append(this.#empty, "td"), "cell");
    cell.colSpan = columns.length;
    cell.textContent = empty;
  }

  /** Shows these rows, in this order. */
  update(rows: readonly Row[]): void {
    const before = this.#rows;
    this.#rows = new Map(
      rows.map((row) => {
        const key = this.#options.keyOf(row);
        return [key, before.get(key) ?? this.#createRow()];
      }),
    );
    for (const [key, { element }] of before) if (!this.#rows.has(key)) element.remove();
    this.#empty.hidden = rows.length > 0;
    for (const row of rows) this.#rows.get(this.#options.keyOf(row))?.update(row);
    let place: Element | null = this.#empty;
    for (const { element } of this.#rows.values()) {
      // Moving an element that stands right would lose a selection in it.
      if (place?.nextElementSibling !== element) place?.after(element);
      place = element;
    }
  }

  #createRow(): LiveRow<Row> {
    const element = withRole(append(this.#body, "tr"), "row");
    const updates = this.#options.columns.map(({ title, className, create }, index) => {
      const cell =
        index === 0
          ? withRole(append(element, "th", className), "rowheader")
          : withRole(append(element, "td", className), "cell");
      if (cell.tagName === "TH") setAttribute(cell, "scope", "row");
      cell.dataset["label"] = title;
      return create(cell);
    });
    return { element, update: (row) => updates.forEach((update) => update(row)) };
  }
}

function withRole<Kind extends Element>(element: Kind, role: string): Kind {
  element.setAttribute("role", role);
  return element;
}
