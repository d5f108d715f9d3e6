import { systemClock, type Clock } from "../lifecycle/deadline.ts";
import type { Listener } from "../listener/listener.ts";
import type { Logger } from "../log/logger.ts";
import type { StartCommand } from "../protocol.ts";
import type { RestartReason, WorkerView } from "../snapshot.ts";
import type { Ledger } from "./ledger.ts";
import { FRESH_ACCOUNT, isHopeless, planRestart, type RestartAccount } from "./restart-policy.ts";
import { WorkerHandle } from "./worker-handle.ts";
import type { SpawnWorker } from "./worker-process.ts";

export interface WorkerSetOptions {
  readonly size: number;
  readonly spawn: SpawnWorker;
  readonly listeners: readonly Listener[];
  readonly startCommand: Omit<StartCommand, "type" | "slot" | "listeners">;
  readonly ledger: Ledger;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Jitter of restarts, from 0 to 1. */
  readonly random?: () => number;
}

interface Slot {
  handle: WorkerHandle | undefined;
  account: RestartAccount;
  cancelRestart: (() => void) | undefined;
}

/** The workers of one process: one in each slot, and another in its place when it ends. */
export class WorkerSet {
  readonly restarts: Record<RestartReason, number> = { crash: 0, start_failed: 0 };
  readonly #options: WorkerSetOptions;
  readonly #clock: Clock;
  readonly #slots: Slot[];
  #forced = 0;
  #missing = 0;
  /** Once false, no worker is spawned any more. */
  #isFilling = true;
  /** A worker has been ready: from now on one that cannot start is tried again. */
  #hasServed = false;

  constructor(options: WorkerSetOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#slots = Array.from({ length: options.size }, () => ({
      handle: undefined,
      account: FRESH_ACCOUNT,
      cancelRestart: undefined,
    }));
  }

  /** Fills every slot; resolves when `atLeast` workers are ready, rejects when one of them cannot start. */
  async start(atLeast: number): Promise<void> {
    const started = this.#slots.map((_, index) => this.#fill(index));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let ready = 0;
    const countReady = (): void => {
      ready += 1;
      if (ready >= atLeast) resolve();
    };
    for (const start of started) start.then(countReady, reject);
    await promise;
    this.#hasServed = true;
  }

  get handles(): readonly WorkerHandle[] {
    return this.#slots.flatMap(({ handle }) => handle ?? []);
  }

  /** Connections that draining workers had to cut. */
  get forced(): number {
    return this.#forced;
  }

  /** Workers that did not answer the last `report` in time. */
  get missing(): number {
    return this.#missing;
  }

  /** No worker serves, and replacing them keeps failing. */
  get isStuck(): boolean {
    return this.#slots.every(
      ({ handle, account }) => handle?.state !== "ready" && isHopeless(account),
    );
  }

  views(): WorkerView[] {
    return this.handles.map(({ slot, pid, state, snapshot }) => ({
      slot,
      pid,
      state,
      health: snapshot?.health,
      process: snapshot && this.#options.ledger.processOf(slot, snapshot),
    }));
  }

  /** Asks every worker for fresh numbers and waits for them `withinMs` at most. */
  async report(withinMs: number): Promise<void> {
    const asked = this.handles.filter(({ state }) => state === "ready" || state === "draining");
    let answered = 0;
    const all = Promise.all(asked.map((handle) => handle.report().then(() => (answered += 1))));
    const { promise: timeUp, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(withinMs, resolve);
    await Promise.race([all, timeUp]);
    cancel();
    this.#missing = asked.length - answered;
  }

  announceClose(): void {
    for (const handle of this.handles) handle.announceClose();
  }

  /** Spawns no more and lets every worker finish until the deadline; resolves when all are gone. */
  async drain(deadlineMs: number): Promise<void> {
    this.stopFilling();
    await Promise.all(this.handles.map((handle) => handle.drain(deadlineMs)));
  }

  /** Moves the deadline of workers that drain already. */
  hurry(deadlineMs: number): void {
    for (const handle of this.handles)
      if (handle.state === "draining") void handle.drain(deadlineMs);
  }

  /** From now on a worker that ends is not replaced. */
  stopFilling(): void {
    this.#isFilling = false;
    for (const slot of this.#slots) slot.cancelRestart?.();
  }

  #fill(index: number): Promise<void> {
    const { spawn, listeners, startCommand } = this.#options;
    const handle = new WorkerHandle({
      slot: index,
      spawn,
      listeners,
      clock: this.#clock,
      onChange: (changed) => this.#onChange(changed),
    });
    const slot = this.#slots[index];
    if (slot !== undefined) slot.handle = handle;
    return handle.start(startCommand);
  }

  #onChange(handle: WorkerHandle): void {
    const { log } = this.#options;
    const fields = { worker: handle.slot, pid: handle.pid };
    if (handle.state === "ready") log.info(fields, "worker ready");
    if (handle.state !== "exited" || handle.exit === undefined) return;
    this.#options.ledger.retire(handle.slot, handle.snapshot);
    this.#forced += handle.forced;
    const slot = this.#slots[handle.slot];
    if (slot === undefined) return;
    slot.handle = undefined;
    if (this.#isFilling && this.#hasServed) this.#replace(slot, handle);
    else log.info({ ...fields, ...handle.exit }, "worker exited");
  }

  #replace(slot: Slot, ended: WorkerHandle): void {
    const reason: RestartReason = ended.hasBeenReady ? "crash" : "start_failed";
    const { delayMs, account } = planRestart(
      slot.account,
      ended.livedMs,
      (this.#options.random ?? Math.random)(),
    );
    slot.account = account;
    this.restarts[reason] += 1;
    this.#options.log.warn(
      {
        worker: ended.slot,
        pid: ended.pid,
        ...ended.exit,
        reason,
        restartInMs: delayMs,
        ...whyNotReady(ended),
      },
      "worker exited",
    );
    slot.cancelRestart = this.#clock.after(delayMs, () => {
      slot.cancelRestart = undefined;
      // A worker that cannot start is heard of when it exits.
      this.#fill(ended.slot).catch(() => {});
    });
  }
}

function whyNotReady(ended: WorkerHandle): { error?: string } {
  return ended.hasBeenReady ? {} : { error: ended.failure.message };
}
