import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const LOOK_INTERVAL_MS = 20;
/** Number of SIGUSR1 on Linux. */
const SIGUSR1_NUMBER = 10;
/** State LISTEN in `/proc/net/tcp`. */
const LISTENING = "0A";

/** A process whose inspector opens on SIGUSR1. */
export interface Inspectable {
  readonly pid: number;
  /** Sends it SIGUSR1; false when it is gone. */
  interrupt(): boolean;
}

/**
 * Makes a process open its inspector, and resolves to the port. Rejects with a sentence about the
 * process when it cannot, or when the signal aborts before.
 */
export async function openInspector(target: Inspectable, signal: AbortSignal): Promise<number> {
  await refuseUnfit(target.pid);
  const before = new Set(await descriptorsOf(target.pid));
  if (!target.interrupt()) throw new Error("it is gone");
  for (;;) {
    await delay(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => {});
    const port = await findPort(target.pid, before);
    if (port !== undefined) return port;
    if (signal.aborted) throw new Error(await describeDeaf(target.pid));
  }
}

/** The signal would end a process that does not catch it, and wait for ever in one that is stopped. */
async function refuseUnfit(pid: number): Promise<void> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  if (stateIn(status).startsWith("T")) throw new Error("it is stopped");
  const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const isCaught = ((caught >> BigInt(SIGUSR1_NUMBER - 1)) & 1n) === 1n;
  if (!isCaught) throw new Error("its inspector does not open on SIGUSR1");
}

async function findPort(pid: number, before: ReadonlySet<string>): Promise<number | undefined> {
  const inodes = new Set<string>();
  for (const descriptor of await descriptorsOf(pid)) {
    if (before.has(descriptor)) continue;
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
    const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
    if (inode !== undefined) inodes.add(inode);
  }
  if (inodes.size === 0) return undefined;
  return listeningPort(await readFile(`/proc/${pid}/net/tcp`, "utf8"), inodes);
}

/** The port of the first listening socket of `/proc/net/tcp` that has one of these inodes. */
export function listeningPort(table: string, inodes: ReadonlySet<string>): number | undefined {
  for (const row of table.split("\n")) {
    const [, local = "", , state, , , , , , inode = ""] = row.trim().split(/\s+/);
    if (state === LISTENING && inodes.has(inode))
      return Number.parseInt(local.slice(local.indexOf(":") + 1), 16);
  }
  return undefined;
}

async function descriptorsOf(pid: number): Promise<readonly string[]> {
  return await readdir(`/proc/${pid}/fd`);
}

async function describeDeaf(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return `it runs no JavaScript: it is in native code or in a system call (state ${stateIn(status)})`;
}

function stateIn(status: string): string {
  return /^State:\s*(.+)$/m.exec(status)?.[1] ?? "unknown";
}
