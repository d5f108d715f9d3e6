import { errnoOf, OutriggerError } from "../errors.ts";
import type { Layer, RawValues } from "./layers.ts";
import { suggestNearest } from "./nearest.ts";
import { OPTIONS, optionsOf, type OptionName } from "./options.ts";

/** A config file, already found. */
export interface ConfigFile {
  /** As the user named it. */
  readonly name: string;
  readonly text: string;
}

/** Reads a config file through `readFile`; `place` says who named it. */
export function openConfigFile(
  name: string,
  place: string,
  readFile: (path: string) => string,
): ConfigFile {
  try {
    return { name, text: readFile(name) };
  } catch (thrown) {
    const reason =
      READ_FAILURES[errnoOf(thrown) ?? ""] ??
      String(thrown instanceof Error ? thrown.message : thrown);
    throw new OutriggerError("ERR_CONFIG", `Cannot read ${place}: ${reason}`, {
      cause: thrown,
    });
  }
}

/** The keys of a config file. Relative paths in it start from the working directory, not from the file. */
export function createFileLayer(file: ConfigFile): Layer {
  return {
    values: readKeys(file, parseObject(file)),
    describe: (name, text) => `"${name}": ${JSON.stringify(text)} in ${file.name}`,
  };
}

const WANTED = {
  one: "a string",
  list: "a string or a list of strings",
  switch: "true or false",
} as const;

const READ_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "permission was denied",
};

function readKeys(file: ConfigFile, object: object): RawValues {
  const names = optionsOf("file");
  const values = new Map<OptionName, readonly string[]>();
  for (const [key, value] of Object.entries(object)) {
    const name = names.find((known) => known === key);
    if (name === undefined) {
      const message = `Unknown config key "${key}" in ${file.name}${suggestNearest(key, names)}`;
      throw new OutriggerError("ERR_CONFIG", message);
    }
    values.set(name, readTexts(file, name, value));
  }
  return values;
}

function readTexts(file: ConfigFile, name: OptionName, value: unknown): readonly string[] {
  const { arity, isNumeric } = OPTIONS[name].kind;
  if (typeof value === "string" && arity !== "switch") return [value];
  if (typeof value === "number" && isNumeric) return [String(value)];
  if (typeof value === "boolean" && arity === "switch") return [String(value)];
  if (arity === "list" && isListOfStrings(value) && value.length > 0) return value;
  const wanted = isNumeric ? "a number" : WANTED[arity];
  const example = OPTIONS[name].default;
  throw new OutriggerError(
    "ERR_CONFIG",
    `Cannot use "${name}": ${JSON.stringify(value)} in ${file.name}: expected ${wanted}${
      example === undefined ? "" : ` such as ${JSON.stringify(example)}`
    }`,
  );
}

function isListOfStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function parseObject(file: ConfigFile): object {
  const value = parseJson(file);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new OutriggerError("ERR_CONFIG", `Cannot parse ${file.name}: expected a JSON object`);
}

function parseJson({ name, text }: ConfigFile): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (thrown) {
    const place = locateSyntaxError(text);
    throw new OutriggerError("ERR_CONFIG", `Cannot parse ${name} at ${place}: this is not JSON`, {
      cause: thrown,
    });
  }
}

/** V8 tells the place of some syntax errors only; the shortest prefix that nothing can complete ends at it. */
function locateSyntaxError(text: string): string {
  let good = 0;
  let bad = text.length + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (canBeCompleted(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  const lines = text.slice(0, good).split("\n");
  return `line ${lines.length}, column ${(lines.at(-1) ?? "").length + 1}`;
}

function canBeCompleted(prefix: string): boolean {
  try {
    JSON.parse(prefix);
    return true;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : "";
    const position = /at position (\d+)/.exec(message);
    if (position !== null)
      return Number(position[1]) >= prefix.length || message.startsWith("Unterminated string");
    return message.startsWith("Unexpected end");
  }
}
