import type { Output } from "./host.ts";

const CLEAR_BELOW = "\u001B[J";
const WIDTH = 80;
const HEIGHT = 24;
const CUT_MARK = "\u2026";

/**
 * A text that is shown anew in its own place. Nothing of the terminal is switched, so nothing has to
 * be put back however the program ends: the cursor goes up over what was written last, and no line
 * is longer than the terminal is wide, nor are there more than fit. Without a terminal each text
 * follows the one before.
 */
export class Redrawing {
  readonly #output: Output;
  #drawnLines = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Leaves the line to itself on which the terminal shows that a key was pressed. */
  end(): void {
    if (this.#output.isTerminal) this.#output.write("\n");
  }

  /** @param text Lines, each with its end. */
  draw(text: string): void {
    if (!this.#output.isTerminal) {
      this.#output.write(text);
      return;
    }
    // A terminal may say 0 where it does not know.
    const [columns, rows] = [this.#output.columns || WIDTH, this.#output.rows || HEIGHT];
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => cut(line, columns));
    // The last row is where the cursor stands.
    const shown =
      lines.length < rows ? lines : [...lines.slice(0, Math.max(rows - 2, 0)), CUT_MARK];
    const up = this.#drawnLines === 0 ? "" : `\u001B[${this.#drawnLines}F${CLEAR_BELOW}`;
    this.#output.write(`${up}${shown.join("\n")}\n`);
    this.#drawnLines = shown.length;
  }
}

function cut(line: string, columns: number): string {
  const characters = Array.from(line);
  if (characters.length <= columns) return line;
  return `${characters.slice(0, Math.max(columns - 1, 0)).join("")}${CUT_MARK}`;
}
