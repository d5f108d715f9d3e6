import { Command, CommanderError } from "commander";
import { flagOf, variableOf } from "../config/option-names.ts";
import { EXIT_CODES, OutriggerError } from "../errors.ts";
import type { Action, Choose } from "./action.ts";
import { addCheck } from "./check.ts";
import { addDrain } from "./drain.ts";
import type { Host } from "./host.ts";
import { addPrint } from "./print.ts";
import { addProbe } from "./probe.ts";
import { addServeOptions, APP_ARGUMENT, type Invocation } from "./serve-options.ts";
import { addStatus } from "./status.ts";
import { addWait } from "./wait.ts";
import { readVersion } from "../version.ts";

const EXIT_CODE_MEANINGS: Record<keyof typeof EXIT_CODES, string> = {
  ok: "stopped as asked, nothing was cut",
  failure: "something went wrong that no other code names",
  usage: "the command line, a variable or the config file is wrong",
  startup: "an endpoint could not be claimed, or the app did not start",
  forced: "stopped, but connections or requests had to be cut",
};
const WIDTH_WITHOUT_TERMINAL = 100;

/** Reads the command line; undefined when it only asked for help or the version, which is then written. */
export function parseCommandLine(
  host: Host,
  serve: (invocation: Invocation) => Action,
): Action | undefined {
  let action: Action | undefined;
  const program = createProgram(host, serve, (chosen) => {
    action = chosen;
  });
  try {
    program.parse(host.argv, { from: "user" });
    return action;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === EXIT_CODES.ok) return undefined;
    throw new OutriggerError("ERR_USAGE", rephrase(thrown.message), { cause: thrown });
  }
}

function createProgram(
  host: Host,
  serve: (invocation: Invocation) => Action,
  choose: Choose,
): Command {
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
  addServe(program, (invocation) => choose(serve(invocation)));
  for (const add of [addProbe, addWait, addDrain, addStatus, addCheck, addPrint])
    add(program, choose).helpOption("-h, --help", "print this help");
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
      APP_ARGUMENT,
      `file, folder or package of the app; may come from ${variableOf("app")} or the config file`,
    );
  const readFlags = addServeOptions(serve);
  serve
    .optionsGroup("Information:")
    .version(readVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", () => formatHelpTail(program))
    .action((app: string | undefined) => onServe({ app, flags: readFlags() }));
}

function formatHelpTail(program: Command): string {
  const codes = Object.entries(EXIT_CODES);
  const meanings = codes.map(
    ([name, code]) =>
      `  ${code} ${name.padEnd(8)} ${EXIT_CODE_MEANINGS[name as keyof typeof EXIT_CODES]}`,
  );
  return `
Subcommands, each with a --help of its own:
${formatSubcommands(program)}
  An app that has the name of one of them is written as a path: ./status

Forms of an endpoint:
  /run/app.sock, ./app.sock, unix:PATH   Unix socket
  @name                                  Linux abstract socket
  127.0.0.1:8000, [::1]:8000, :8000      TCP
  systemd:NAME, fd:N                     a listening socket that we are handed
  Each may end in ?key=value&...: mode, group, owner (Unix sockets), backlog, max-connections,
  max-header-size, max-headers, max-request-line, max-body-size, name.

Variables and config keys:
  ${flagOf("grace-period")} is also ${variableOf("grace-period")}, and "grace-period" in the config file,
  and so for every option. Flags win over variables, variables over the file, the file over the defaults.

Exit codes:
${meanings.join("\n")}
`;
}

function formatSubcommands(program: Command): string {
  const rows = program.commands
    .filter((command) => command.name() !== "serve")
    .map((command) => {
      const [words] = command.registeredArguments;
      const name = [command.name(), ...(words?.required ? [words.name()] : [])].join(" ");
      return [name, command.summary()] as const;
    });
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`).join("\n");
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
