import { describeError } from "../errors.ts";
import type { Clock } from "../lifecycle/deadline.ts";
import type { Logger } from "../log/logger.ts";
import type { RestartReason } from "../snapshot.ts";
import type { WorkerHandle } from "./worker-handle.ts";
import type { WorkerSlot } from "./worker-slot.ts";

const RETRY_MS = 30_000;

export interface RecyclingOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Carries out a change when its turn has come; rejects when there is none any more. */
  readonly inTurn: (change: () => Promise<void>) => Promise<void>;
  readonly readGraceMs: () => number;
}

/** Replaces workers that have served long enough, each once. */
export class Recycling {
  readonly #options: RecyclingOptions;
  /** Slots whose worker has served long enough; each takes back the timer until the next try. */
  readonly #worn = new Map<WorkerSlot, () => void>();
  #isStopped = false;

  constructor(options: RecyclingOptions) {
    this.#options = options;
  }

  /** A successor that cannot start is tried again when the worker reports next, but not at once. */
  async recycle(slot: WorkerSlot, worn: WorkerHandle, reason: RestartReason): Promise<void> {
    if (this.#worn.has(slot)) return;
    this.#worn.set(slot, () => {});
    const { clock, log, inTurn, readGraceMs } = this.#options;
    log.info({ worker: slot.index, reason }, "recycling worker");
    try {
      await inTurn(async () => {
        // It may have ended before its turn came.
        if (slot.isFilledBy(worn)) await slot.succeed(reason, readGraceMs);
      });
      this.#worn.delete(slot);
    } catch (error) {
      if (this.#isStopped) return;
      log.error({ worker: slot.index, reason, error: describeError(error) }, "recycling failed");
      const cancel = clock.after(RETRY_MS, () => this.#worn.delete(slot));
      this.#worn.set(slot, cancel);
    }
  }

  /** Tries nothing again. */
  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#worn.values()) cancel();
  }
}
