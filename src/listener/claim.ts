import type { BigIntStats } from "node:fs";
import { access, constants, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, OutriggerError } from "../errors.ts";
import { describeKind, statPath } from "./identity.ts";
import { isBoundHere } from "./kernel.ts";
import { testLiveness } from "./live-test.ts";
import { choosePrivatePath, isPrivateNameOf } from "./names.ts";

const NAME_ATTEMPTS = 40;

/** What stands at a path that may be taken. */
export type PathFinding = "free" | "stale";

/** An error for a path that must not be taken, saying what to do about it. */
export function refuse(path: string, reason: string, cause?: unknown): OutriggerError {
  return new OutriggerError(
    "ERR_LISTEN",
    `Cannot listen on ${path}: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}

/** An error for a path whose socket cannot be replaced by ours; one we foresaw says so itself. */
export function cannotTake(path: string, error: unknown): OutriggerError {
  if (error instanceof OutriggerError) return error;
  const code = errnoOf(error) ?? String(error);
  return refuse(path, `cannot put the socket in its place (${code})`, error);
}

/** Rejects when the directory of a path cannot hold a socket of ours. */
export async function checkDirectory(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    // With the slash a link to a directory counts as that directory.
    const stats = await statPath(`${directory}/`);
    if (stats === undefined) {
      const isSomethingElse = (await statPath(directory)) !== undefined;
      throw refuse(
        path,
        isSomethingElse
          ? `${directory} is not a directory; choose a path in one`
          : `directory ${directory} does not exist; create it, or mount a volume there`,
      );
    }
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof OutriggerError) throw error;
    const code = errnoOf(error);
    const why =
      code === "EROFS"
        ? "is on a read-only file system"
        : `is not writable for uid ${process.getuid?.()}`;
    throw refuse(
      path,
      `directory ${directory} ${why} (${code}); mount a writable volume there`,
      error,
    );
  }
}

/** Whether the directory of a path can hold a socket of ours. */
export async function hasDirectory(path: string): Promise<boolean> {
  return await checkDirectory(path).then(
    () => true,
    () => false,
  );
}

/**
 * Decides whether a path may be taken. Nothing is removed here. Call with the lock held: then an
 * Outrigger that still answers can only be the left-over workers of a dead supervisor.
 */
export async function inspectPath(path: string): Promise<PathFinding> {
  const stats = await statPath(path);
  if (stats === undefined) return "free";
  if (!stats.isSocket()) {
    throw refuse(
      path,
      `${describeKind(stats)} is there, not a socket; move it away, or choose another path`,
    );
  }
  const liveness = await testLiveness(path);
  if (liveness.state === "alive" && !(await isLeftOver(path, stats))) {
    throw refuse(
      path,
      `its socket belongs to ${liveness.evidence}; stop that one first, or choose another path`,
    );
  }
  return liveness.state === "gone" ? "free" : "stale";
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

/**
 * Whether a socket that answers was published by an Outrigger, which shows in a private name for the
 * same inode, and only its workers are left. The lock is per network namespace, and so is the
 * kernel's table: a socket that was not bound in ours may have an owner whose lock we cannot see.
 */
async function isLeftOver(path: string, stats: BigIntStats): Promise<boolean> {
  return await isInUse(stats, await privateSocketsOf(path));
}

/** Whether a socket is bound here under one of its private names; while it is published it has two. */
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

interface PrivateFile {
  readonly candidate: string;
  readonly stats: BigIntStats;
}
