import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { OpsEndpoint } from "../config/config.ts";
import { formatDuration, parseDuration } from "../config/duration.ts";
import { EXIT_CODES, OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import type { Choose } from "./action.ts";
import { sendDrainSignal, type Addressee } from "./drain-signal.ts";
import { addOpsOptions } from "./ops-address.ts";
import { addOwnOption, parseTimeout } from "./own-option.ts";
import { readStatus } from "./read-status.ts";
import { valueAt } from "./value-at.ts";

/** A signal is not answered, so the status is asked until it shows. */
const LOOK_INTERVAL_MS = 50;

/** Adds `drain`: announces the drain to a running program, which a stop signal finishes. */
export function addDrain(program: Command, choose: Choose): Command {
  const command = program
    .command("drain")
    .summary("announce the drain, which a stop signal finishes; for preStop hooks")
    .description(
      "Announces the drain: readiness fails, and all is served until a stop signal comes. Exit 0 also when it was announced before.",
    );
  const readWait = addOwnOption(command, {
    flag: "--wait",
    placeholder: "DURATION",
    description: "return only when the drain was announced this long ago",
    default: "0",
    parse: parseDuration,
  });
  const readTimeout = addOwnOption(command, {
    flag: "--timeout",
    placeholder: "DURATION",
    description: "how long the announcement may take",
    default: "5s",
    parse: parseTimeout,
  });
  const findOps = addOpsOptions(command);
  return command.action(() => {
    const [waitMs, timeoutMs] = [readWait(), readTimeout()];
    choose(async (host) => {
      const announcedForMs = await announce(findOps(host), timeoutMs);
      if (announcedForMs < waitMs) await delay(waitMs - announcedForMs);
      return EXIT_CODES.ok;
    });
  });
}

/** Resolves to how long ago the drain was announced, be it by us or before. */
async function announce(ops: OpsEndpoint, timeoutMs: number): Promise<number> {
  const endMs = performance.now() + timeoutMs;
  const before = await look(ops, timeoutMs);
  if (before.announcedForMs !== undefined) return before.announcedForMs;
  await sendDrainSignal(before, ops);
  for (;;) {
    const leftMs = Math.max(Math.ceil(endMs - performance.now()), 1);
    const { announcedForMs } = await look(ops, leftMs).catch((error: unknown) => {
      // A stop that came meanwhile has ended it.
      if (!isRunning(before.pid)) return { announcedForMs: Number.POSITIVE_INFINITY };
      throw error;
    });
    if (announcedForMs !== undefined) return announcedForMs;
    if (performance.now() + LOOK_INTERVAL_MS >= endMs) break;
    await delay(LOOK_INTERVAL_MS);
  }
  const what = `Waited ${formatDuration(timeoutMs)} in vain for the drain to begin`;
  throw new OutriggerError("ERR_STATE", `${what}: process ${before.pid} got ${before.signal}`);
}

interface Seen extends Addressee {
  /** Undefined when it was not announced yet. */
  readonly announcedForMs: number | undefined;
}

async function look(ops: OpsEndpoint, timeoutMs: number): Promise<Seen> {
  const { status } = await readStatus(ops, timeoutMs);
  const pid = valueAt(status, "supervisor.pid");
  if (typeof pid !== "number") {
    const reason = `the status of ${formatHostPort(ops)} names no process`;
    throw new OutriggerError("ERR_STATE", `Cannot announce the drain: ${reason}`);
  }
  const signal = valueAt(status, "supervisor.drain_signal");
  const startedAt = valueAt(status, "drain_started_at");
  const announcedForMs = timeOf(valueAt(status, "taken_at")) - timeOf(startedAt);
  return {
    pid,
    signal: typeof signal === "string" ? signal : undefined,
    announcedForMs: startedAt === undefined ? undefined : announcedForMs,
  };
}

/** Of times that the program wrote; the same clock wrote both. */
function timeOf(text: unknown): number {
  return typeof text === "string" ? Date.parse(text) : Number.NaN;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
