import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, OutriggerError } from "../errors.ts";
import { describeKind, statPath } from "./file-identity.ts";
import { testLiveness } from "./live-test.ts";
import { isBoundPrivately } from "./private-files.ts";
import { refuse } from "./refuse.ts";

/** What stands at a path that may be taken. */
export type PathFinding = "free" | "stale";

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
  // One that answers and has a private name was published by an Outrigger of which only workers are left. The
  // lock is per network namespace, and so is the kernel's table: others may have an owner whose lock we cannot see.
  if (liveness.state === "alive" && !(await isBoundPrivately(path, stats))) {
    throw refuse(
      path,
      `its socket belongs to ${liveness.evidence}; stop that one first, or choose another path`,
    );
  }
  return liveness.state === "gone" ? "free" : "stale";
}
