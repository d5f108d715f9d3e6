import type { Listener } from "../listener/listener.ts";
import type { LoadReport, LoopStats, StartCommand } from "../protocol.ts";
import type { BackoffView, RestartReason } from "../snapshot.ts";
import { addUpCounts } from "./add-up-counts.ts";
import { RecyclePolicy } from "./recycle-policy.ts";
import { SlotRestart, type SlotRestartOptions } from "./slot-restart.ts";
import { startWithin } from "./start-limit.ts";
import { WorkerHandle } from "./worker-handle.ts";
import type { SpawnWorker } from "./worker-process.ts";

/**
 * What the successor of a blocked worker is given to become ready where there is no limit. Others that
 * are blocked wait for it, so it has to end.
 */
const RESCUE_START_MS = 60_000;

/** What a worker is started with, whichever slot it fills. */
export type WorkerStart = Omit<
  StartCommand,
  "type" | "slot" | "listeners" | "counterDescriptor" | "reportAfterRequests" | "credentials"
>;

export interface WorkerSlotOptions extends Omit<SlotRestartOptions, "fill" | "isToBeFilled"> {
  readonly spawn: SpawnWorker;
  readonly listeners: readonly Listener[];
  /** What the next worker is started with. */
  readonly readStart: () => WorkerStart & Pick<StartCommand, "credentials">;
  /** Whether a worker that ends now is to be replaced. */
  readonly isWanted: () => boolean;
  /** Told of a worker that has served long enough. */
  readonly onWorn: (handle: WorkerHandle, reason: RestartReason) => void;
  /** Told when a worker of the slot enters another state. */
  readonly onState: (handle: WorkerHandle) => void;
  /** Told how many connections a worker has open. */
  readonly onLoad: (handle: WorkerHandle, load: LoadReport) => void;
  /** Told what the event loop of a worker that serves has done. */
  readonly onLoop: (handle: WorkerHandle, loop: LoopStats) => void;
  /** Told once of every worker that is gone. */
  readonly onGone: (handle: WorkerHandle) => void;
}

/** One place for a worker: filled again when its worker ends, or handed to a successor while it serves. */
export class WorkerSlot {
  readonly #options: WorkerSlotOptions;
  /** The worker that fills the slot. */
  #current: WorkerHandle | undefined;
  /** Successors that are not ready yet, and predecessors that finish. */
  readonly #others = new Set<WorkerHandle>();
  readonly #restart: SlotRestart;
  /** Starts of successors that are under way. */
  #successions = 0;
  /** Why workers were told to leave. */
  readonly #leaving = new WeakMap<WorkerHandle, RestartReason>();
  #isRetired = false;

  constructor(options: WorkerSlotOptions) {
    this.#options = options;
    this.#restart = new SlotRestart({
      ...options,
      isToBeFilled: () => this.#current === undefined && this.#isWanted,
      fill: () => this.fill(),
    });
  }

  get index(): number {
    return this.#options.index;
  }

  /** Every living worker of the slot. */
  get handles(): readonly WorkerHandle[] {
    return this.#current === undefined ? [...this.#others] : [this.#current, ...this.#others];
  }

  /** It does not serve, and its last workers did not last. */
  get isFailing(): boolean {
    return this.ready === undefined && this.#restart.isFailing;
  }

  /** The worker that fills it and is ready; undefined while there is none. */
  get ready(): WorkerHandle | undefined {
    return this.#current?.state === "ready" ? this.#current : undefined;
  }

  /** A successor is on its way. */
  get isBeingReplaced(): boolean {
    return this.#successions > 0;
  }

  /** How long it waits to be filled again, and why; undefined while it does not wait. */
  get backoff(): BackoffView | undefined {
    return this.#restart.backoff;
  }

  /** It does not serve, and filling it keeps failing. */
  get isHopeless(): boolean {
    return this.ready === undefined && this.#restart.isHopeless;
  }

  /** Fills the slot; resolves when its worker is ready, rejects when that cannot start. */
  async fill(): Promise<void> {
    const { handle, start, limitMs } = this.#spawn();
    this.#current = handle;
    await startWithin(handle, start(), { limitMs, clock: this.#options.clock });
  }

  /** Fills a new slot; one whose worker cannot start is given up as if it were retired. */
  async tryOut(): Promise<void> {
    this.#isRetired = true;
    await this.fill();
    this.#isRetired = false;
  }

  /** Whether that worker is the one that fills the slot, and is to be replaced when it ends. */
  isFilledBy(handle: WorkerHandle): boolean {
    return this.#current === handle && !this.#isRetired;
  }

  /**
   * Starts a successor, and when it is ready lets the worker there finish within the grace period, which
   * is asked for then. Rejects, with the worker left where it is, when the successor cannot start;
   * one that is not ready in time is killed.
   *
   * @param blocked The worker to succeed: when another serves in its place by then, the successor leaves again.
   */
  async succeed(
    reason: RestartReason,
    readGraceMs: () => number,
    blocked?: WorkerHandle,
  ): Promise<void> {
    const { handle: successor, start, limitMs } = this.#spawn();
    this.#others.add(successor);
    this.#successions += 1;
    const withoutLimitMs = blocked === undefined ? 0 : RESCUE_START_MS;
    const limit = { limitMs: limitMs || withoutLimitMs, clock: this.#options.clock };
    await startWithin(successor, start(), limit).finally(() => (this.#successions -= 1));
    const isTaken = this.ready !== undefined && this.ready !== blocked;
    if (blocked !== undefined && (isTaken || this.#isRetired)) {
      void successor.drain(this.#options.clock.now() + readGraceMs());
      return;
    }
    this.#others.delete(successor);
    this.stopRestart();
    this.#options.onRestart(reason);
    const predecessor = this.#current;
    this.#current = successor;
    if (predecessor === undefined) return;
    this.#others.add(predecessor);
    this.#leaving.set(predecessor, reason);
    void predecessor.drain(this.#options.clock.now() + readGraceMs());
  }

  /** Fills the slot no more and lets its worker finish. */
  retire(graceMs: number): void {
    this.#isRetired = true;
    this.stopRestart();
    void this.#current?.drain(this.#options.clock.now() + graceMs);
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Fills the slot at once if it waits for its time. */
  retry(): void {
    this.#restart.hurry();
  }

  /** Takes back a restart that waits for its time. */
  stopRestart(): void {
    this.#restart.cancel();
  }

  /** A worker of the slot that ends now is to be replaced. */
  get #isWanted(): boolean {
    return !this.#isRetired && this.#options.isWanted();
  }

  #spawn(): { handle: WorkerHandle; start: () => Promise<void>; limitMs: number } {
    const { index, spawn, listeners, clock, random, readStart } = this.#options;
    const start = readStart();
    const policy = new RecyclePolicy(start.config.recycle, random());
    const handle = new WorkerHandle({
      slot: index,
      spawn,
      listeners,
      clock,
      onChange: (changed) => this.#onChange(changed),
      onSnapshot: (reported) => this.#hear(reported, policy),
      onLoad: this.#options.onLoad,
    });
    const { reportAfterRequests } = policy;
    return {
      handle,
      limitMs: start.config.startTimeoutMs,
      async start() {
        await handle.start({ ...start, reportAfterRequests });
        // Ready and gone before anybody could take note of it.
        if (handle.state === "exited") throw handle.failure;
      },
    };
  }

  #hear(handle: WorkerHandle, policy: RecyclePolicy): void {
    this.#considerAge(handle, policy);
    if (handle.state === "ready" && handle.reported !== undefined)
      this.#options.onLoop(handle, handle.reported.loop);
  }

  #considerAge(handle: WorkerHandle, policy: RecyclePolicy): void {
    if (this.#current !== handle || handle.state !== "ready") return;
    this.#restart.settle(handle);
    const { livedMs, reported } = handle;
    const requests = addUpCounts(reported, ({ answered }) => answered);
    const residentBytes = reported?.process.residentBytes ?? 0;
    const reason = policy.judge({ requests, livedMs, residentBytes });
    if (reason !== undefined) this.#options.onWorn(handle, reason);
  }

  #onChange(handle: WorkerHandle): void {
    const { log, onState } = this.#options;
    const fields = { worker: handle.slot, pid: handle.pid };
    onState(handle);
    if (handle.state === "ready")
      log[this.#restart.isQuiet ? "debug" : "info"](fields, "worker ready");
    if (handle.state !== "exited") return;
    const isCurrent = this.#current === handle;
    if (isCurrent) this.#current = undefined;
    this.#others.delete(handle);
    this.#options.onGone(handle);
    if (isCurrent && this.#isWanted) this.#restart.plan(handle);
    else
      log.info({ ...fields, ...handle.exit, reason: this.#leaving.get(handle) }, "worker exited");
  }
}
