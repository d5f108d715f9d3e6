import { describeError } from "../errors.ts";
import type { Clock } from "../lifecycle/deadline.ts";
import type { Logger } from "../log/logger.ts";
import type { BackoffView, RestartReason } from "../snapshot.ts";
import { CrashAccount } from "./crash-account.ts";
import type { OomKills } from "./oom-kills.ts";
import { judgeEnd, type EndVerdict } from "./worker-end.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** How long to wait when not even a process can be made. */
const RESPAWN_MS = 1_000;
/** Of failures to make a process, one in so many is worth a log line. */
const NEWS_EVERY = 60;

export interface SlotRestartOptions {
  /** Stable number of the slot, a label of its workers. */
  readonly index: number;
  readonly clock: Clock;
  /** Jitter of restarts, from 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly oomKills: OomKills;
  /** Slots there are. */
  readonly readSize: () => number;
  readonly onRestart: (reason: RestartReason) => void;
  /** Told when a worker stays, after others had not. */
  readonly onStay: () => void;
  /** Whether the slot is empty and to be filled. */
  readonly isToBeFilled: () => boolean;
  /** Fills the slot; rejects when its worker cannot start, or cannot even be spawned. */
  readonly fill: () => Promise<void>;
}

/** Fills a slot again after its worker has ended: when, and how much of it the log has to hear. */
export class SlotRestart {
  readonly #options: SlotRestartOptions;
  readonly #crashes = new CrashAccount();
  #cancel: (() => void) | undefined;
  #dueAtMs = 0;
  #spawnFailures = 0;

  constructor(options: SlotRestartOptions) {
    this.#options = options;
  }

  /** The last workers did not last. */
  get isFailing(): boolean {
    return this.#crashes.isFailing;
  }

  /** Filling the slot keeps failing. */
  get isHopeless(): boolean {
    return this.#crashes.isHopeless;
  }

  /** The log is told of some ends only. */
  get isQuiet(): boolean {
    return this.#crashes.isQuiet;
  }

  /** How long the slot waits to be filled again, and why; undefined while it does not wait. */
  get backoff(): BackoffView | undefined {
    const { failures } = this.#crashes;
    if (this.#cancel === undefined || failures < 2) return undefined;
    const { index, clock } = this.#options;
    return { slot: index, failures, retryInMs: Math.max(this.#dueAtMs - clock.now(), 0) };
  }

  /** Forgets what went before when a worker stays. */
  settle({ pid, livedMs }: WorkerHandle): void {
    const { index, log, onStay } = this.#options;
    const { failures, isQuiet } = this.#crashes;
    if (!this.#crashes.settle(livedMs)) return;
    if (isQuiet) log.info({ worker: index, pid, failures }, "worker stays");
    onStay();
  }

  /** Fills the slot in the place of a worker that has ended, at once or after a while. */
  plan(ended: WorkerHandle): void {
    const { index, clock, random, log, onRestart, readSize } = this.#options;
    const { pid, exit, hasBeenReady, livedMs } = ended;
    const { reason, detail } = this.#judge(ended);
    const { delayMs, account, isNews } = this.#crashes.note({
      livedMs,
      random: random(),
      slots: readSize(),
    });
    onRestart(reason);
    log[isNews ? "warn" : "debug"](
      {
        worker: index,
        pid,
        ...exit,
        reason,
        detail,
        failures: account.failures,
        restartInMs: delayMs,
        ...(hasBeenReady ? {} : { error: ended.failure.message }),
      },
      "worker exited",
    );
    this.#dueAtMs = clock.now() + delayMs;
    this.#cancel = clock.after(delayMs, () => void this.#fill());
  }

  /** Fills the slot at once if it waits for its time. */
  hurry(): void {
    if (this.#cancel === undefined) return;
    this.cancel();
    void this.#fill();
  }

  /** Takes back a restart that waits for its time. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #judge({ wasKilled, hasBeenReady, exit, snapshot }: WorkerHandle): EndVerdict {
    if (wasKilled && !hasBeenReady) return { reason: "start_failed" };
    const end = { exit, hasBeenReady, process: snapshot?.process };
    return judgeEnd(end, () => this.#options.oomKills.claim());
  }

  async #fill(): Promise<void> {
    this.#cancel = undefined;
    const { index, clock, log, fill, isToBeFilled } = this.#options;
    try {
      await fill();
      this.#spawnFailures = 0;
    } catch (error) {
      // A worker that cannot start is heard of when it exits; one that could not be spawned is not.
      if (this.#cancel !== undefined || !isToBeFilled()) return;
      if (this.#spawnFailures % NEWS_EVERY === 0)
        log.error({ worker: index, error: describeError(error) }, "worker could not be spawned");
      this.#spawnFailures += 1;
      this.#cancel = clock.after(RESPAWN_MS, () => void this.#fill());
    }
  }
}
