import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { eventually, within } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

export interface GroupOptions {
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Descriptors of ours that it has from 3 on. */
  readonly descriptors?: readonly number[];
}

export interface ExitResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process with all it starts, in a process group of its own. */
export interface ProcessGroup {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the first process has ended and its output was read to the end. */
  readonly closed: Promise<ExitResult>;
  /** Signals the first process only. */
  signal(signal: NodeJS.Signals): void;
}

const ORPHANS_GO_WITHIN_MS = 5_000;
const live = new Set<number>();

/**
 * Starts a command in its own process group. When the scope ends the group is killed, if it still runs;
 * processes that outlived a first process which ended before fail the test.
 */
export function startGroup(scope: Scope, command: string, options: GroupOptions): ProcessGroup {
  const child = spawn(command, options.args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", ...(options.descriptors ?? [])],
  }) as Child;
  const pid = child.pid;
  if (pid === undefined) throw new Error(`Cannot start ${command}: is it installed?`);
  const closed = exitOf(child);
  live.add(pid);
  onEnd(scope, () => endGroup(child, pid, closed));
  return {
    pid,
    stdout: child.stdout,
    stderr: child.stderr,
    closed,
    signal: (signal) => void child.kill(signal),
  };
}

/** Processes of a group that run; those that only wait to be reaped do not count. */
export function runningInGroup(group: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => isRunningIn(group, pid))
    .map(Number);
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

async function exitOf(child: Child): Promise<ExitResult> {
  await once(child, "close");
  return { code: child.exitCode, signal: child.signalCode };
}

async function endGroup(child: Child, pid: number, closed: Promise<ExitResult>): Promise<void> {
  const hadEnded = child.exitCode !== null || child.signalCode !== null;
  try {
    if (hadEnded) await untilGone(pid);
  } finally {
    killGroup(pid);
    live.delete(pid);
  }
  await within(ORPHANS_GO_WITHIN_MS, closed, `the output of process ${pid} to end`);
}

async function untilGone(group: number): Promise<void> {
  let left: number[] = [];
  const isEmpty = (): true | undefined => {
    left = runningInGroup(group);
    return left.length === 0 ? true : undefined;
  };
  await eventually(ORPHANS_GO_WITHIN_MS, isEmpty, "the process group to empty").catch(() => {
    throw new Error(`Process ${group} ended and left processes ${left.join(", ")} behind`);
  });
}

function isRunningIn(group: number, pid: string): boolean {
  try {
    // The name in parentheses may contain anything; state, parent and group follow it.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(processGroup) === group && state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}

function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // Nobody left to kill.
  }
}

// A test file that is itself stopped leaves nothing running either.
process.once("exit", () => live.forEach(killGroup));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    live.forEach(killGroup);
    process.kill(process.pid, signal);
  });
}
