import { Option, type Command } from "commander";
import type { FlagValues } from "../config/layers.ts";
import type { ConfigInput } from "../config/resolve.ts";
import { flagOf } from "../config/option-names.ts";
import { OPTION_GROUPS } from "../config/option-spec.ts";
import { OPTIONS, optionsOf, type OptionName } from "../config/options.ts";
import { OutriggerError } from "../errors.ts";
import type { Host } from "./host.ts";

/** The part of a command line that is configuration. */
export interface Invocation {
  readonly app: string | undefined;
  readonly flags: FlagValues;
}

/** What the app of a command line is. */
export const APP_ARGUMENT = "[app]";

/** Gives a command options of `serve` (all of them); the returned function reads them once it was parsed. */
export function addServeOptions(
  command: Command,
  names: readonly OptionName[] = optionsOf("flag"),
): () => FlagValues {
  const options = names.map((name) => [name, createOption(name)] as const);
  for (const group of OPTION_GROUPS) {
    for (const [name, option] of options)
      if (OPTIONS[name].group === group) command.addOption(option);
  }
  return () => {
    const given = options.map(([name, option]) => [
      name,
      textsOf(command.getOptionValue(option.attributeName())),
    ]);
    return Object.fromEntries(given.filter(([, texts]) => texts !== undefined));
  };
}

/** The world a configuration is made of, as this process finds it. */
export function toConfigInput(host: Host, invocation: Invocation): ConfigInput {
  return {
    ...invocation,
    env: host.env,
    cwd: host.cwd,
    cpuCount: host.cpuCount,
    readFile: (path) => host.readFile(path),
  };
}

function createOption(name: OptionName): Option {
  const { kind, group, description, default: fallback } = OPTIONS[name];
  const value = kind.placeholder === "" ? "" : ` <${kind.placeholder}>`;
  const suffix = fallback === undefined ? "" : ` (default: ${fallback})`;
  const option = new Option(`${flagOf(name)}${value}`, description + suffix).helpGroup(`${group}:`);
  if (kind.arity === "switch") return option;
  if (kind.arity === "one")
    return option.argParser((text, before: string | undefined) =>
      onlyOnce(flagOf(name), text, before),
    );
  return option.argParser((text: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    text,
  ]);
}

/** The last one would win without a word, and the first was meant as well. */
export function onlyOnce(flag: string, text: string, before: string | undefined): string {
  if (before === undefined) return text;
  throw new OutriggerError("ERR_USAGE", `Cannot use ${flag} twice: got "${before}" and "${text}"`);
}

/** Commander gives a string for a value, a list for a repeated one and `true` for a switch. */
function textsOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.map(String);
  return value === true ? [""] : undefined;
}
