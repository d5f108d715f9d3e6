import { readFile } from "node:fs/promises";

/** Reads `net.core.somaxconn`, above which the kernel cuts a backlog without a word; undefined where it cannot be read. */
export async function readSomaxconn(): Promise<number | undefined> {
  const text = await readFile("/proc/sys/net/core/somaxconn", "utf8").catch(() => "");
  return /^\d+\s*$/.test(text) ? Number(text) : undefined;
}
