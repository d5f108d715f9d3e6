import { access, constants, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, OutriggerError } from "../errors.ts";
import { describeKind, statPath } from "./identity.ts";
import { testLiveness } from "./live-test.ts";
import { isPrivateNameOf } from "./names.ts";

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

/** Rejects when the directory of a path cannot hold a socket of ours. */
export async function checkDirectory(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    // With the slash a link to a directory counts as that directory.
    const stats = await statPath(`${directory}/`);
    if (stats === undefined) {
      throw refuse(
        path,
        `directory ${directory} does not exist; create it, or mount a volume there`,
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
  if (await hasPrivateTwin(path, stats.ino)) return "stale";
  const liveness = await testLiveness(path);
  if (liveness.state === "alive") {
    throw refuse(
      path,
      `its socket belongs to ${liveness.evidence}; stop that one first, or choose another path`,
    );
  }
  return liveness.state === "dead" ? "stale" : "free";
}

/**
 * Removes private names that a killed Outrigger left beside a path; call with the lock held. The one
 * of the socket that is still published stays, for it shows who published it, and so does `own`.
 */
export async function sweepPrivateNames(path: string, own?: string): Promise<void> {
  const published = await statPath(path);
  for (const candidate of await privatePathsOf(path)) {
    const stats = await statPath(candidate);
    if (candidate === own || !stats?.isSocket() || stats.ino === published?.ino) continue;
    await rm(candidate, { force: true });
  }
}

/** Whether the socket at a path was published by an Outrigger: it shares its inode with a private name. */
async function hasPrivateTwin(path: string, inode: bigint): Promise<boolean> {
  for (const candidate of await privatePathsOf(path)) {
    if ((await statPath(candidate))?.ino === inode) return true;
  }
  return false;
}

async function privatePathsOf(path: string): Promise<string[]> {
  const directory = dirname(path);
  const names = await readdir(directory);
  return names.filter((name) => isPrivateNameOf(path, name)).map((name) => join(directory, name));
}
