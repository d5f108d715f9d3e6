import { Command, CommanderError, Option } from "commander";
import type { FlagValues } from "../config/layers.ts";
import {
  flagOf,
  OPTION_GROUPS,
  OPTIONS,
  optionsOf,
  variableOf,
  type OptionName,
} from "../config/options.ts";
import { EXIT_CODES, OutriggerError } from "../errors.ts";
import type { Host } from "./host.ts";
import { readVersion } from "../version.ts";

/** What the command line asks for. */
export interface Invocation {
  readonly app: string | undefined;
  readonly flags: FlagValues;
}

const EXIT_CODE_MEANINGS: Record<keyof typeof EXIT_CODES, string> = {
  ok: "stopped as asked, nothing was cut",
  failure: "something went wrong that no other code names",
  usage: "the command line, a variable or the config file is wrong",
  startup: "an endpoint could not be claimed, or the app did not start",
  forced: "stopped, but connections or requests had to be cut",
};
const WIDTH_WITHOUT_TERMINAL = 100;

/** Reads the command line; undefined when it only asked for help or the version, which is then written. */
export function parseCommandLine(host: Host): Invocation | undefined {
  let invocation: Invocation | undefined;
  const program = createProgram(host, (found) => {
    invocation = found;
  });
  try {
    program.parse(host.argv, { from: "user" });
    return invocation;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === EXIT_CODES.ok) return undefined;
    throw new OutriggerError("ERR_USAGE", rephrase(thrown.message), { cause: thrown });
  }
}

function createProgram(host: Host, onServe: (invocation: Invocation) => void): Command {
  const program = new Command("outrigger")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: () => {}, // the one renderer writes it
      getOutHelpWidth: () => host.stdout.columns ?? WIDTH_WITHOUT_TERMINAL,
      getOutHasColors: () => false,
    })
    .helpOption(false)
    .helpCommand(false);
  addServe(program, onServe);
  return program;
}

/** `serve` is what happens without a subcommand, so its help is the help of the program. */
function addServe(program: Command, onServe: (invocation: Invocation) => void): void {
  const serve = program
    .command("serve", { isDefault: true })
    .description(
      "Serves a Node app on Unix sockets and TCP, and answers probes and Prometheus on a port of its own.",
    )
    .configureHelp({ commandUsage: () => "outrigger [serve] [options] <app>" })
    .argument(
      "[app]",
      `file, folder or package of the app; may come from ${variableOf("app")} or the config file`,
    );
  const options = optionsOf("flag").map((name) => [name, createOption(name)] as const);
  for (const group of OPTION_GROUPS) {
    for (const [name, option] of options)
      if (OPTIONS[name].group === group) serve.addOption(option);
  }
  serve
    .optionsGroup("Information:")
    .version(readVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", formatHelpTail())
    .action((app: string | undefined) => onServe({ app, flags: readFlags(serve, options) }));
}

function createOption(name: OptionName): Option {
  const { kind, group, description, default: fallback } = OPTIONS[name];
  const value = kind.placeholder === "" ? "" : ` <${kind.placeholder}>`;
  const suffix = fallback === undefined ? "" : ` (default: ${fallback})`;
  const option = new Option(`${flagOf(name)}${value}`, description + suffix).helpGroup(`${group}:`);
  if (kind.arity === "switch") return option;
  if (kind.arity === "one")
    return option.argParser((text, before: string | undefined) => onlyOnce(name, text, before));
  return option.argParser((text: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    text,
  ]);
}

/** The last one would win without a word, and the first was meant as well. */
function onlyOnce(name: OptionName, text: string, before: string | undefined): string {
  if (before === undefined) return text;
  const both = `"${before}" and "${text}"`;
  throw new OutriggerError("ERR_USAGE", `Cannot use ${flagOf(name)} twice: got ${both}`);
}

function readFlags(
  serve: Command,
  options: readonly (readonly [OptionName, Option])[],
): FlagValues {
  const given = options.map(([name, option]) => [
    name,
    textsOf(serve.getOptionValue(option.attributeName())),
  ]);
  return Object.fromEntries(given.filter(([, texts]) => texts !== undefined));
}

/** Commander gives a string for a value, a list for a repeated one and `true` for a switch. */
function textsOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.map(String);
  return value === true ? [""] : undefined;
}

function formatHelpTail(): string {
  const codes = Object.entries(EXIT_CODES);
  const meanings = codes.map(
    ([name, code]) =>
      `  ${code} ${name.padEnd(8)} ${EXIT_CODE_MEANINGS[name as keyof typeof EXIT_CODES]}`,
  );
  return `
Forms of an endpoint:
  /run/app.sock, ./app.sock, unix:PATH   Unix socket
  @name                                  Linux abstract socket
  127.0.0.1:8000, [::1]:8000, :8000      TCP
  Each may end in ?key=value&...: mode, group, owner (Unix sockets), backlog, max-connections, name.

Variables and config keys:
  ${flagOf("grace-period")} is also ${variableOf("grace-period")}, and "grace-period" in the config file,
  and so for every option. Flags win over variables, variables over the file, the file over the defaults.

Exit codes:
${meanings.join("\n")}
`;
}

/** Turns what commander says into a sentence of ours. */
function rephrase(message: string): string {
  const sentence = message
    .replace(/^error: /, "")
    .replace(/\n?\(Did you mean (?:one of )?(.+?)\?\)$/s, ": did you mean $1")
    .replaceAll("'", '"')
    .replace(/\.$/, "");
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
