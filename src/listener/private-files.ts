import type { BigIntStats } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../errors.ts";
import { statPath } from "./file-identity.ts";
import { isBoundHere } from "./kernel-accounts.ts";
import { choosePrivatePath, isPrivateNameOf } from "./private-names.ts";
import { refuse } from "./refuse.ts";

const NAME_ATTEMPTS = 40;

/** A socket under a private name. */
interface PrivateFile {
  readonly candidate: string;
  readonly stats: BigIntStats;
}

/** A private name beside a path that nothing has yet; call with the lock held. */
export async function chooseFreePrivatePath(path: string): Promise<string> {
  for (let attempt = 1; attempt <= NAME_ATTEMPTS; attempt += 1) {
    const candidate = choosePrivatePath(path);
    if ((await statPath(candidate)) === undefined) return candidate;
  }
  throw refuse(path, `no name is free for its temporary file; clear ${dirname(path)} of old ones`);
}

/**
 * Removes private names that a killed Outrigger left beside a path; call with the lock held. `own`
 * stays, and so does every socket with another name: that of the published one shows who published
 * it. So does one that is bound still: it may be that of a live Outrigger whose public name has the
 * same hash, and one of orphaned workers can wait for the next sweep.
 */
export async function sweepPrivateNames(path: string, own?: string): Promise<void> {
  const candidates = await privateSocketsOf(path);
  for (const { candidate, stats } of candidates) {
    const privateLinks = candidates.filter((other) => other.stats.ino === stats.ino).length;
    const hasOtherName = stats.nlink > privateLinks;
    if (candidate === own || hasOtherName || (await isInUse(stats, candidates))) continue;
    await rm(candidate, { force: true });
  }
}

/** Private names of the very socket that has the public one: whoever takes that may remove these. */
export async function privateNamesOfPublished(path: string): Promise<readonly string[]> {
  const published = await statPath(path);
  const candidates = await privateSocketsOf(path);
  return candidates
    .filter(({ stats }) => stats.ino === published?.ino)
    .map(({ candidate }) => candidate);
}

/** Whether that socket is bound here under one of the private names beside a path. */
export async function isBoundPrivately(path: string, stats: BigIntStats): Promise<boolean> {
  return await isInUse(stats, await privateSocketsOf(path));
}

/** While it is published a socket may have two private names. */
async function isInUse({ ino }: BigIntStats, candidates: readonly PrivateFile[]): Promise<boolean> {
  const twins = candidates.filter(({ stats }) => stats.ino === ino);
  for (const { candidate } of twins) if (await isBoundHere(basename(candidate))) return true;
  return false;
}

async function privateSocketsOf(path: string): Promise<PrivateFile[]> {
  const directory = dirname(path);
  const sockets: PrivateFile[] = [];
  for (const name of await namesIn(directory)) {
    if (!isPrivateNameOf(path, name)) continue;
    const candidate = join(directory, name);
    const stats = await statPath(candidate);
    if (stats?.isSocket()) sockets.push({ candidate, stats });
  }
  return sockets;
}

/** Nothing where the directory is gone. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}
