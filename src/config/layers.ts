import { OutriggerError } from "../errors.ts";
import { suggestNearest } from "./nearest.ts";
import { flagOf, VARIABLE_PREFIX, variableOf } from "./option-names.ts";
import { OPTIONS, optionsOf, type OptionName } from "./options.ts";
import type { OptionValues } from "./option-values.ts";
import { ValueError } from "./value-error.ts";

/** Texts by option, as one source gave them. */
export type RawValues = ReadonlyMap<OptionName, readonly string[]>;

/** Values of one source, and how that source is quoted in a refusal. */
export interface Layer {
  readonly values: RawValues;
  /** The place of a value, such as `OUTRIGGER_WORKERS="x"`. */
  describe(name: OptionName, text: string): string;
}

/** A value that was read, and the layer it came from. */
export interface Chosen<T> {
  readonly value: T;
  readonly layer: Layer;
}

/** Flags of the command line; the value of one that may be repeated is a list. */
export type FlagValues = { readonly [Name in OptionName]?: string | readonly string[] | undefined };

/** The command line, its argument included. */
export function createFlagLayer(flags: FlagValues): Layer {
  const values = new Map<OptionName, readonly string[]>();
  for (const name of [...optionsOf("flag"), "app"] as const) {
    const value = flags[name];
    if (value !== undefined) values.set(name, typeof value === "string" ? [value] : value);
  }
  return {
    values,
    describe: (name, text) => `${name === "app" ? "app" : flagOf(name)} ${JSON.stringify(text)}`,
  };
}

/** What platforms call an option of ours; our own variable wins over it. */
const COMMON_VARIABLES: Readonly<Record<string, OptionName>> = { WEB_CONCURRENCY: "workers" };

/** The `OUTRIGGER_*` variables and `WEB_CONCURRENCY`; an empty one counts as not set. */
export function createVariableLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const names = new Map(optionsOf("variable").map((name) => [variableOf(name), name]));
  const values = new Map<OptionName, readonly string[]>();
  const sources = new Map<OptionName, string>();
  for (const [variable, name] of Object.entries(COMMON_VARIABLES)) {
    const text = env[variable]?.trim() ?? "";
    if (text === "" || (env[variableOf(name)] ?? "").trim() !== "") continue;
    values.set(name, [text]);
    sources.set(name, variable);
  }
  for (const [variable, text = ""] of Object.entries(env)) {
    const name = names.get(variable);
    if (name !== undefined && text.trim() !== "") values.set(name, splitVariable(name, text));
    if (name === undefined && isMeantForUs(variable, text))
      throw refuseVariable(variable, [...names.keys()]);
  }
  return {
    values,
    describe: (name, text) => `${sources.get(name) ?? variableOf(name)}=${JSON.stringify(text)}`,
  };
}

/** Reads an option from the first layer that has it. */
export function choose<Name extends OptionName>(
  layers: readonly Layer[],
  name: Name,
): Chosen<OptionValues[Name]> | undefined {
  const layer = layers.find(({ values }) => values.has(name));
  return layer && { value: readOption(layer, name), layer };
}

/** Runs `read`; a value it refuses is refused with its place. */
export function withPlace<T>(layer: Layer, name: OptionName, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    throw thrown instanceof ValueError ? thrown.at(layer.describe(name, thrown.value)) : thrown;
  }
}

function readOption<Name extends OptionName>(layer: Layer, name: Name): OptionValues[Name] {
  return withPlace(layer, name, () => OPTIONS[name].kind.parse(layer.values.get(name) ?? []));
}

function splitVariable(name: OptionName, text: string): readonly string[] {
  return OPTIONS[name].kind.arity === "list"
    ? text.split(/[\s,]+/).filter((part) => part !== "")
    : [text];
}

/** Kubernetes sets variables for every Service of the namespace, and one may be called outrigger. */
function isMeantForUs(variable: string, text: string): boolean {
  if (!variable.startsWith(VARIABLE_PREFIX)) return false;
  if (/_SERVICE_HOST$|_SERVICE_PORT(?:_\w+)?$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?$/.test(variable))
    return false;
  return !(variable.endsWith("_PORT") && /^(?:tcp|udp|sctp):\/\//.test(text));
}

function refuseVariable(variable: string, known: readonly string[]): OutriggerError {
  const hint = suggestNearest(variable, known, VARIABLE_PREFIX);
  return new OutriggerError("ERR_CONFIG", `Unknown environment variable "${variable}"${hint}`);
}
