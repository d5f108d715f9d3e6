import { formatDuration } from "../config/duration.ts";
import { Deadline, settledBefore, type Clock } from "../lifecycle/deadline.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** How much longer we wait than the worker does, which knows better what is missing. */
const MARGIN_MS = 2_000;

export interface StartLimit {
  /** 0 is no limit. */
  readonly limitMs: number;
  readonly clock: Clock;
}

/**
 * Waits until a worker is ready, and kills one that takes too long; its end is not waited for.
 *
 * @param started Settles when the worker is ready, or is not going to be.
 */
export async function startWithin(
  worker: WorkerHandle,
  started: Promise<void>,
  { limitMs, clock }: StartLimit,
): Promise<void> {
  if (limitMs === 0) return await started;
  const deadline = new Deadline(limitMs + MARGIN_MS, clock);
  try {
    if (await settledBefore(started, deadline.signal)) return;
  } finally {
    deadline.clear();
  }
  // One that drains has a deadline of its own.
  if (worker.state === "starting") throw worker.giveUp(formatDuration(limitMs));
  await started;
}
