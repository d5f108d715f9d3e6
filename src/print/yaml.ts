/** Writes a text as a double-quoted YAML scalar, which JSON is a part of. */
export function quoteYaml(text: string): string {
  return JSON.stringify(text);
}
