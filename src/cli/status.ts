import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { OpsEndpoint } from "../config/config.ts";
import { describeError, EXIT_CODES, OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import type { Choose } from "./action.ts";
import type { Host } from "./host.ts";
import { addOpsOptions } from "./ops-address.ts";
import { askOps } from "./ops-client.ts";
import { formatStatus } from "./status-table.ts";

const TIMEOUT_MS = 5_000;
const REDRAW_MS = 1_000;
/** To the top left corner, and nothing below it. */
const CLEAR = "\u001B[H\u001B[J";

interface StatusOptions {
  readonly json?: true;
  readonly watch?: true;
}

/** Adds `status`: what a running program says of itself, once or again and again. */
export function addStatus(program: Command, choose: Choose): Command {
  const command = program
    .command("status")
    .summary("show phase, endpoints and workers of a running outrigger")
    .description("Shows phase, endpoints and workers of a running outrigger.")
    .option("--watch", "show it anew every second, until interrupted")
    .option("--json", "print the JSON of /status as it is");
  const findOps = addOpsOptions(command);
  return command.action((options: StatusOptions) => {
    choose(async (host) => {
      const ops = findOps(host);
      const read = (): Promise<string> => readStatus(ops, options);
      if (options.watch === true) await watch(host, read);
      else host.stdout.write(await read());
      return EXIT_CODES.ok;
    });
  });
}

async function readStatus(ops: OpsEndpoint, { json }: StatusOptions): Promise<string> {
  const { status, body } = await askOps({ ops, path: "/status", timeoutMs: TIMEOUT_MS });
  if (status === 200 && json === true) return body;
  try {
    if (status === 200) return formatStatus(JSON.parse(body));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const address = formatHostPort(ops);
  throw new OutriggerError("ERR_STATE", `Cannot read the status of ${address}: it is no outrigger`);
}

/** Resolves when interrupted. What cannot be reached at first is an error; later it may come back. */
async function watch(host: Host, read: () => Promise<string>): Promise<void> {
  const { stdout } = host;
  const interrupt = new AbortController();
  const releases = (["SIGINT", "SIGTERM"] as const).map((signal) =>
    host.onSignal(signal, () => interrupt.abort()),
  );
  const interrupted = once(interrupt.signal, "abort");
  try {
    let answer = read();
    for (;;) {
      const text = await Promise.race([answer, interrupted.then(() => undefined)]);
      if (text === undefined) return;
      stdout.write(`${stdout.isTerminal ? CLEAR : ""}${text}`);
      await Promise.race([delay(REDRAW_MS), interrupted]);
      answer = read().catch((error: unknown) => `${describeError(error).message}\n`);
    }
  } finally {
    for (const release of releases) release();
  }
}
