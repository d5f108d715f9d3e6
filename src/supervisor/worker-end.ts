import type { ProcessStats, RestartReason } from "../snapshot.ts";
import type { WorkerExit } from "./worker-process.ts";

/** What shells and containers make of a death by SIGABRT. */
const ABORTED_EXIT_CODE = 134;
/** The limit V8 tells of holds room for young objects, which is not filled when the heap is full. */
const YOUNG_BYTES = 192 * 2 ** 20;
/** Of a limit that is hardly larger than that, so much is for the others. */
const LEAST_OLD_SHARE = 0.25;
/** The last report may be a second old, and the heap grew since. */
const FULL_SHARE = 0.7;

/** What is known of a worker that ended by itself. */
export interface WorkerEnd {
  readonly exit: WorkerExit | undefined;
  readonly hasBeenReady: boolean;
  /** What it said of itself last. */
  readonly process: ProcessStats | undefined;
}

/** Why a worker ended, as far as one can tell from outside. */
export interface EndVerdict {
  readonly reason: RestartReason;
  /** What the reason rests on; absent where the exit says everything. */
  readonly detail?: string;
}

/**
 * Judges why a worker ended.
 *
 * @param claimOomKill Whether the kernel has killed a process of ours for memory that nothing else accounts for.
 */
export function judgeEnd(end: WorkerEnd, claimOomKill: () => boolean): EndVerdict {
  const { exit, hasBeenReady, process } = end;
  const otherwise = hasBeenReady ? "crash" : "start_failed";
  if (exit?.signal === "SIGKILL") {
    const reason = hasBeenReady ? "killed" : otherwise;
    return claimOomKill()
      ? { reason, detail: "the kernel killed it: the memory limit of the cgroup was reached" }
      : { reason, detail: "somebody else sent SIGKILL; for memory, the kernel does too" };
  }
  const isAborted = exit?.signal === "SIGABRT" || exit?.code === ABORTED_EXIT_CODE;
  if (!isAborted || process === undefined) return { reason: otherwise };
  const { heapUsedBytes, heapLimitBytes } = process;
  const heap = `${inMebibytes(heapUsedBytes)} of ${inMebibytes(heapLimitBytes)} of heap were in use`;
  const oldLimitBytes = Math.max(heapLimitBytes - YOUNG_BYTES, heapLimitBytes * LEAST_OLD_SHARE);
  return heapUsedBytes >= oldLimitBytes * FULL_SHARE
    ? { reason: "out_of_memory", detail: `its heap limit was reached: ${heap} at its last report` }
    : { reason: otherwise, detail: `it aborted: ${heap} at its last report` };
}

function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
