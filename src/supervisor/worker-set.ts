import { OutriggerError } from "../errors.ts";
import { systemClock, type Clock } from "../lifecycle/deadline.ts";
import { Turns } from "../lifecycle/turns.ts";
import type { Listener } from "../listener/listener.ts";
import type { Logger } from "../log/logger.ts";
import type { StartCommand } from "../protocol.ts";
import { noRestarts, type BackoffView, type RestartReason } from "../snapshot.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import type { Ledger } from "./ledger.ts";
import { OomKills } from "./oom-kills.ts";
import { Recycling } from "./recycling.ts";
import { ReportRound } from "./report-round.ts";
import { Rescue } from "./rescue.ts";
import { Sharing } from "./sharing.ts";
import { Slots } from "./slots.ts";
import type { WorkerHandle } from "./worker-handle.ts";
import type { SpawnWorker } from "./worker-process.ts";
import type { WorkerStart } from "./worker-slot.ts";
import { addUpForced, readWorkers, type Reading } from "./worker-views.ts";

export interface WorkerSetOptions {
  readonly size: number;
  readonly spawn: SpawnWorker;
  readonly listeners: readonly Listener[];
  readonly startCommand: WorkerStart;
  readonly ledger: Ledger;
  readonly log: Logger;
  /** What endpoints prove themselves with at this instant, whenever the start was decided on (nothing). */
  readonly readCredentials?: () => StartCommand["credentials"];
  /** Told when a worker may have begun or ceased to be ready, or its app healthy. */
  readonly onChange?: () => void;
  readonly clock?: Clock;
  /** Jitter of restarts, from 0 to 1. */
  readonly random?: () => number;
}

/** The workers of one process: one in each slot, and another in its place when it ends. */
export class WorkerSet {
  readonly restarts: Record<RestartReason, number> = noRestarts();
  /** Asks every worker for fresh numbers. */
  readonly reports: ReportRound;
  readonly #options: WorkerSetOptions;
  readonly #slots: Slots;
  #startCommand: WorkerStart;
  /** One change at a time, so that no more than one worker is ever on top. */
  readonly #turns = new Turns();
  readonly #recycling: Recycling;
  readonly #rescue: Rescue;
  readonly #sharing: Sharing<WorkerHandle>;
  #forced = 0;
  #isClosing = false;
  /** Once false, no worker is spawned any more. */
  #isFilling = true;
  /** Gives up the start: a worker is gone that it counts on. */
  #failStart: (error: OutriggerError) => void = () => {};
  /** A worker has been ready: from now on one that cannot start is tried again. */
  #hasServed = false;

  constructor(options: WorkerSetOptions) {
    this.#options = options;
    const { clock = systemClock } = options;
    this.#startCommand = options.startCommand;
    this.reports = new ReportRound({ clock, workers: () => this.handles });
    this.#sharing = new Sharing({
      mode: options.startCommand.config.balance,
      endpoints: options.listeners.map(({ endpoint }) => endpoint.name),
      clock,
    });
    this.#recycling = new Recycling({
      clock,
      log: options.log,
      inTurn: (change) => this.#inTurn(change),
      readGraceMs: () => this.#graceMs,
    });
    this.#rescue = new Rescue({
      clock,
      log: options.log,
      readTimeoutMs: () => this.workerTimeoutMs,
      watched: () => this.#slots.active.flatMap(({ ready }) => ready ?? []),
      slotOf: (worker) => this.#slots.filledBy(worker),
      readGraceMs: () => this.#graceMs,
    });
    this.#slots = this.#createSlots(clock);
    while (this.size < options.size) this.#slots.add();
  }

  /** Fills every slot; resolves when `atLeast` workers are ready, rejects when one of them cannot start. */
  async start(atLeast: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#failStart = reject;
    let ready = 0;
    const countReady = (): void => {
      ready += 1;
      if (ready >= atLeast) resolve();
    };
    for (const slot of this.#slots.active) slot.fill().then(countReady, reject);
    await promise;
    this.#hasServed = true;
    if (this.#isFilling) this.#rescue.start();
  }

  /** Workers there should be. */
  get size(): number {
    return this.#slots.active.length;
  }

  /** Every living worker, those included that are about to replace another or to leave. */
  get handles(): readonly WorkerHandle[] {
    return this.#slots.handles;
  }

  /** Connections that draining workers had to cut. */
  forcedAsOf(readings: readonly Reading[] = readWorkers(this.handles)): number {
    return this.#forced + addUpForced(readings);
  }

  /** No worker serves, and those that were started last have failed. */
  get isFailing(): boolean {
    return this.#slots.active.every(({ isFailing }) => isFailing);
  }

  /** No worker serves, and replacing them keeps failing. */
  get isStuck(): boolean {
    return this.#slots.active.every(
      ({ isHopeless, ready }) => isHopeless || (ready && this.#rescue.hasGivenUp(ready)),
    );
  }

  /** Slots that wait before they are filled again. */
  get backoffs(): readonly BackoffView[] {
    return this.#slots.backoffs;
  }

  /** Silence after which a ready worker is to be replaced; 0 is never. */
  get workerTimeoutMs(): number {
    return this.#startCommand.config.workerTimeoutMs;
  }

  /**
   * Replaces the workers one by one, each ready before its predecessor finishes. Rejects at the
   * first that cannot start: then it and those behind it stay as they are.
   */
  replaceAll(startCommand: WorkerStart): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#startCommand;
      this.#startCommand = startCommand;
      this.#rescue.start();
      try {
        for (const slot of this.#slots.active) {
          if (this.#isFilling) await slot.succeed("reload", () => this.#graceMs);
        }
      } catch (error) {
        this.#startCommand = before;
        if (this.#isFilling) this.#rescue.start();
        throw error;
      }
    });
  }

  /** Adds a worker; rejects, with none added, when it cannot start. */
  grow(): Promise<void> {
    return this.#inTurn(() => this.#slots.add().tryOut());
  }

  /** Lets the youngest worker finish and does not replace it; there is always one that stays. */
  shrink(): Promise<void> {
    return this.#inTurn(async () => {
      this.#slots.retireYoungest(this.#graceMs);
    });
  }

  /** From now on every worker says goodbye, those included that are not ready yet. */
  announceClose(): void {
    this.#isClosing = true;
    this.#sharing.stopMoving();
    for (const handle of this.handles) handle.announceClose();
  }

  /** Spawns no more and lets every worker finish until the deadline; resolves when all are gone. */
  async drain(deadlineMs: number): Promise<void> {
    this.stopFilling();
    await Promise.all(this.handles.map((handle) => handle.drain(deadlineMs)));
  }

  /** Gives every worker new credentials of an endpoint. */
  renew(endpoint: string, credentials: TlsCredentials): void {
    for (const handle of this.handles) handle.renew(endpoint, credentials);
  }

  /** Moves the deadline of workers that drain already. */
  hurry(deadlineMs: number): void {
    for (const handle of this.handles)
      if (handle.state === "draining") void handle.drain(deadlineMs);
  }

  /** From now on a worker that ends is not replaced. */
  stopFilling(): void {
    this.#isFilling = false;
    this.#rescue.stop();
    this.#sharing.stop();
    this.#slots.stopRestarts();
    this.#recycling.stop();
  }

  get #graceMs(): number {
    return this.#startCommand.config.drain.gracePeriodMs;
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    return this.#turns.take(() => {
      if (this.#isFilling && this.#hasServed) return change();
      throw new OutriggerError("ERR_STATE", "Cannot change workers while they start or stop");
    });
  }

  #createSlots(clock: Clock): Slots {
    const { spawn, listeners, log, ledger, readCredentials } = this.#options;
    const { random = Math.random } = this.#options;
    return new Slots({
      spawn,
      listeners,
      log,
      random,
      oomKills: new OomKills(),
      clock,
      readStart: () => ({ ...this.#startCommand, credentials: readCredentials?.() ?? {} }),
      isWanted: () => this.#isFilling && this.#hasServed,
      onState: (handle) => {
        if (handle.state === "ready") this.#sharing.join(handle);
        if (handle.state === "ready" && this.#isClosing) handle.announceClose();
        if (handle.state === "draining" || handle.state === "exited") this.#sharing.leave(handle);
        this.#options.onChange?.();
      },
      onLoad: (handle, load) => this.#sharing.note(handle, load),
      onLoop: (handle, loop) => {
        this.#sharing.noteLoop(handle, loop);
        this.#options.onChange?.();
      },
      onRestart: (reason) => (this.restarts[reason] += 1),
      onWorn: (slot, worn, reason) => void this.#recycling.recycle(slot, worn, reason),
      onGone: (handle) => {
        ledger.retire(handle, handle.wasKilled ? "forced" : "worker_lost");
        this.#forced += handle.forcedAsOf();
        if (!this.#hasServed) this.#failStart(handle.failure);
      },
    });
  }
}
