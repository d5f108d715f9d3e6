import { readdir, readFile, readlink } from "node:fs/promises";

const LISTENING = "0A";

/**
 * Whether a process of our pid namespace listens on a TCP port of our network namespace, as the kernel
 * says. False also where we may not look into the process, which takes the same user.
 */
export async function listensOnPort(pid: number, port: number): Promise<boolean> {
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map(readOrNothing));
  const wanted = new Set(tables.flatMap((table) => findListeners(table, port)));
  const descriptors = `/proc/${pid}/fd`;
  const names = await readdir(descriptors).catch(() => []);
  const targets = names.map((name) => readlink(`${descriptors}/${name}`).catch(() => ""));
  return (await Promise.all(targets)).some((target) => wanted.has(target));
}

/** Sockets that listen on a port, as links to their descriptors name them. */
export function findListeners(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").flatMap((line) => {
    // sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === LISTENING && local.endsWith(suffix) ? [`socket:[${inode}]`] : [];
  });
}

/** A machine may lack a table, and a process may be gone by now. */
async function readOrNothing(path: string): Promise<string> {
  return await readFile(path, "latin1").catch(() => "");
}
