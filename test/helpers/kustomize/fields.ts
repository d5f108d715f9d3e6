/** A mapping of YAML or JSON. */
export type Fields = { [name: string]: unknown };

/** The value as a mapping; fails when it is none. */
export function asFields(value: unknown): Fields {
  if (!isFields(value)) throw new Error(`Expected a mapping, got ${JSON.stringify(value)}`);
  return value;
}

/** The value as a list; fails when it is none. */
export function asList(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error(`Expected a list, got ${JSON.stringify(value)}`);
  return value;
}

/** The value as a text; fails when it is none. */
export function asText(value: unknown): string {
  if (typeof value !== "string") throw new Error(`Expected a text, got ${JSON.stringify(value)}`);
  return value;
}

/** The value as a number; fails when it is none. */
export function asNumber(value: unknown): number {
  if (typeof value !== "number") throw new Error(`Expected a number, got ${JSON.stringify(value)}`);
  return value;
}

/** Follows names and indices; undefined where the way ends. */
export function at(value: unknown, ...way: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of way) {
    if (Array.isArray(found) && typeof step === "number") found = found.at(step) as unknown;
    else if (isFields(found)) found = found[step];
    else return undefined;
  }
  return found;
}

/** The mappings of a list; none where there is no list. */
export function mappings(value: unknown): Fields[] {
  return value === undefined ? [] : asList(value).map(asFields);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
