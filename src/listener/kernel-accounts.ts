import { readFile } from "node:fs/promises";

/** The kernel's own account of one Unix listener. */
export interface KernelAccount {
  /** Accepted connections that are still open, in whatever process. */
  readonly accepted: number;
  /** Connections that wait to be accepted. */
  readonly queued: number;
}

const UNIX_TABLE = "/proc/net/unix";
const CONNECTING = "02";
const CONNECTED = "03";

/**
 * Counts connections by the name their listener was bound under (proc(5): `/proc/net/unix`; every
 * accepted and queued socket carries that name). Undefined where the kernel shows no such table.
 */
export async function readKernelAccounts(
  names: readonly string[],
): Promise<ReadonlyMap<string, KernelAccount> | undefined> {
  if (names.length === 0) return new Map();
  try {
    return parseUnixTable(await readFile(UNIX_TABLE, "latin1"), names);
  } catch {
    return undefined;
  }
}

/**
 * Whether a socket in our network namespace was bound under this file name, in whatever directory:
 * containers may mount one at different paths. True where the kernel shows no table.
 */
export async function isBoundHere(fileName: string): Promise<boolean> {
  const table = await readFile(UNIX_TABLE, "latin1").catch(() => undefined);
  return table === undefined || table.split("\n").some((line) => line.endsWith(`/${fileName}`));
}

/** Parses the text of `/proc/net/unix`. */
export function parseUnixTable(
  table: string,
  names: readonly string[],
): ReadonlyMap<string, KernelAccount> {
  const accounts = new Map(
    names.map((name) => [Buffer.from(name).toString("latin1"), { name, accepted: 0, queued: 0 }]),
  );
  for (const line of table.split("\n")) {
    // Num RefCount Protocol Flags Type St Inode Path; only the path may hold spaces.
    const [, state, path] = /^\S+ \S+ \S+ \S+ \S+ (\S+)\s+\d+ (.+)$/.exec(line) ?? [];
    const account = path === undefined ? undefined : accounts.get(path);
    if (account === undefined) continue;
    if (state === CONNECTED) account.accepted += 1;
    if (state === CONNECTING) account.queued += 1;
  }
  return new Map(
    [...accounts.values()].map(({ name, accepted, queued }) => [name, { accepted, queued }]),
  );
}
