import { readdir, readFile, readlink } from "node:fs/promises";
import { dirname } from "node:path";

/** The kernel's own account of the server side of Unix sockets. */
export interface KernelRows {
  /** Sockets that listen. */
  readonly listening: number;
  /** Connections a process has accepted and not closed. */
  readonly accepted: number;
  /** Connections that wait in the accept queue. */
  readonly queued: number;
}

const LISTENING = "00010000";
const ACCEPTED = "03";
const QUEUED = "02";

/** Counts sockets by the path they were bound to; `matches` tells which paths are meant. */
export async function kernelRows(
  path: string | ((boundPath: string) => boolean),
): Promise<KernelRows> {
  const matches = typeof path === "string" ? (boundPath: string) => boundPath === path : path;
  return countRows(await readFile("/proc/net/unix", "utf8"), matches);
}

/** Counts sockets bound to any name in a directory, temporary names included. */
export function kernelRowsIn(dir: string): Promise<KernelRows> {
  return kernelRows((boundPath) => dirname(boundPath) === dir);
}

/** Counts rows of the text of /proc/net/unix. */
export function countRows(table: string, matches: (boundPath: string) => boolean): KernelRows {
  const rows = { listening: 0, accepted: 0, queued: 0 };
  for (const line of table.split("\n").slice(1)) {
    const fields = /^\S+: \S+ \S+ (\S+) \S+ (\S+) +\S+ (.+)$/.exec(line);
    const [, flags, state, boundPath] = fields ?? [];
    if (boundPath === undefined || !matches(boundPath)) continue;
    if (flags === LISTENING) rows.listening += 1;
    else if (state === ACCEPTED) rows.accepted += 1;
    else if (state === QUEUED) rows.queued += 1;
  }
  return rows;
}

/** What each open descriptor of a process points to. */
export async function openDescriptors(pid: number): Promise<string[]> {
  const dir = `/proc/${pid}/fd`;
  const targets = await Promise.all(
    (await readdir(dir)).map((fd) => readlink(`${dir}/${fd}`).catch(() => "")),
  );
  return targets.filter((target) => target !== "");
}
