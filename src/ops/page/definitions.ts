import { append, setText } from "./dom.ts";

/** A term of a list of definitions, its value, and what there is to say beside it. */
export interface Definition {
  readonly term: string;
  readonly value: string;
  readonly detail?: string;
}

/** Creates a function that shows definitions in a list; their number and terms never change. */
export function createDefinitions(list: Element): (definitions: readonly Definition[]) => void {
  let updates: ((definition: Definition) => void)[] | undefined;
  return (definitions) => {
    updates ??= definitions.map(() => createDefinition(list));
    for (const [index, definition] of definitions.entries()) updates[index]?.(definition);
  };
}

function createDefinition(list: Element): (definition: Definition) => void {
  const group = append(list, "div");
  const name = append(group, "dt");
  const text = append(group, "dd");
  const figure = append(text, "b");
  text.append(" ");
  const more = append(text, "span");
  return ({ term, value, detail = "" }) => {
    setText(name, term);
    setText(figure, value);
    setText(more, detail);
  };
}
