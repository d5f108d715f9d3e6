import { lstatSync, type BigIntStats } from "node:fs";
import { lstat } from "node:fs/promises";
import { errnoOf } from "../errors.ts";

/** Which file it is, whatever it is called: device and inode. */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

/** Looks at a path without following a link there; undefined when nothing is. */
export async function statPath(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

export function identityOf(stats: BigIntStats): FileIdentity {
  return { device: stats.dev, inode: stats.ino };
}

/** Whether the file at `path` is this very file. */
export async function isAt(path: string, identity: FileIdentity): Promise<boolean> {
  const stats = await statPath(path);
  return stats !== undefined && stats.dev === identity.device && stats.ino === identity.inode;
}

/** The same question for a process that is exiting and can wait for nothing. */
export function isAtSync(path: string, identity: FileIdentity): boolean {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats?.dev === identity.device && stats.ino === identity.inode;
}

/** The kind of file in words. */
export function describeKind(stats: BigIntStats): string {
  if (stats.isSocket()) return "a socket";
  if (stats.isFile()) return "a regular file";
  if (stats.isDirectory()) return "a directory";
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isFIFO()) return "a FIFO";
  return "a device";
}
