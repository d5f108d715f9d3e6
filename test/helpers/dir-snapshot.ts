import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

/** Describes every name in a directory, down to inode and content, so that two looks can be compared. */
export async function describeDir(dir: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(dir, { recursive: true })).toSorted();
  const entries = await Promise.all(
    names.map(async (name) => [name, await describeFile(join(dir, name))] as const),
  );
  return Object.fromEntries(entries);
}

/** Kind, mode, owner, inode and content of a file; a link is not followed. */
export async function describeFile(path: string): Promise<string> {
  const stats = await lstat(path);
  const content = stats.isFile()
    ? await readFile(path, "utf8")
    : stats.isSymbolicLink()
      ? await readlink(path)
      : "";
  return `${stats.mode.toString(8)} ${stats.uid}:${stats.gid} inode ${stats.ino} ${content}`.trim();
}
