import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { OpsEndpoint } from "../config/config.ts";
import { describeError, EXIT_CODES } from "../errors.ts";
import type { Choose } from "./action.ts";
import type { Host } from "./host.ts";
import { addOpsOptions } from "./ops-address.ts";
import { readStatus } from "./read-status.ts";
import { Redrawing } from "./redrawing.ts";
import { formatStatus } from "./status-table.ts";

const TIMEOUT_MS = 5_000;
const REDRAW_MS = 1_000;

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
    .option("--json", "print the JSON of /status as it is; one line each time with --watch");
  const findOps = addOpsOptions(command);
  return command.action(({ json, watch }: StatusOptions) => {
    choose(async (host) => {
      const ops = findOps(host);
      if (watch === true) {
        await showAgain(host, json === true ? printLines(host, ops) : redrawTable(host, ops));
      } else {
        const { body, status } = await readStatus(ops, TIMEOUT_MS);
        host.stdout.write(json === true ? body : formatStatus(status));
      }
      return EXIT_CODES.ok;
    });
  });
}

interface View {
  /** Shows what there is now; rejects when that cannot be known, or is not wanted any more. */
  readonly show: (signal: AbortSignal) => Promise<void>;
  /** Shows why nothing else can be shown. */
  readonly fail: (error: unknown) => void;
  /** Called when it is interrupted. */
  readonly end: () => void;
}

function redrawTable({ stdout }: Host, ops: OpsEndpoint): View {
  const redrawing = new Redrawing(stdout);
  return {
    async show(signal) {
      const { status } = await readStatus(ops, TIMEOUT_MS, signal);
      redrawing.draw(formatStatus(status));
    },
    fail: (error) => redrawing.draw(`${describeError(error).message}\n`),
    end: () => redrawing.end(),
  };
}

/** For programs: what is no JSON goes where it does not disturb them. */
function printLines({ stdout, stderr }: Host, ops: OpsEndpoint): View {
  return {
    async show(signal) {
      const { status } = await readStatus(ops, TIMEOUT_MS, signal);
      stdout.write(`${JSON.stringify(status)}\n`);
    },
    fail: (error) => stderr.write(`outrigger: ${describeError(error).message}\n`),
    end: () => {},
  };
}

/** Resolves when interrupted. What cannot be reached at first is an error; later it may come back. */
async function showAgain(host: Host, { show, fail, end }: View): Promise<void> {
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const stop = (): void => interrupt.abort();
  const releases = [
    host.onSignal("SIGINT", stop),
    host.onSignal("SIGTERM", stop),
    host.stdout.onUnread(stop),
  ];
  try {
    for (let hasShown = false; !signal.aborted; hasShown = true) {
      await show(signal).catch((error: unknown) => {
        if (signal.aborted) return;
        if (!hasShown) throw error;
        fail(error);
      });
      await delay(REDRAW_MS, undefined, { signal }).catch(() => {});
    }
    end();
  } finally {
    for (const release of releases) release();
  }
}
