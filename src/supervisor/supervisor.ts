import type { Activation } from "../activation.ts";
import type { Config, OpsEndpoint } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { Deadline } from "../lifecycle/deadline.ts";
import { createDeferred } from "../lifecycle/deferred.ts";
import { canEnter, type Phase } from "../lifecycle/phase.ts";
import type { EndToEndCheck, Listener } from "../listener/listener.ts";
import type { ListenerManager } from "../listener/manager.ts";
import type { Logger } from "../log/logger.ts";
import type { Snapshot, Standing } from "../snapshot.ts";
import { closeInOrder, type Stopped } from "./closing.ts";
import type { DrainReason } from "./drain.ts";
import { Opening } from "./opening.ts";
import { createCheckTarget, createEndToEndCheck } from "./self-check.ts";
import { SnapshotTaker, type Subject } from "./snapshot-taker.ts";
import { SocketKeeper, type SocketEvent } from "./socket-keeper.ts";
import { WorkerChanges } from "./worker-changes.ts";
import type { SpawnWorker } from "./worker-process.ts";

export interface SupervisorOptions {
  readonly config: Config;
  /** Sockets that we were handed (none). */
  readonly activation?: Activation;
  readonly log: Logger;
  readonly spawn: SpawnWorker;
  readonly version: string;
  /** The signal on which `announceDrain` is called (none). */
  readonly drainSignal?: NodeJS.Signals;
  /** Told of every phase as it begins. */
  readonly onPhase?: (phase: Phase) => void;
  /** Told once that the drain is to come to its end: it was asked for, or another has taken over. */
  readonly onEnding?: () => void;
  /** Told when a socket file is not ours any more, and when it is again. */
  readonly onSocket?: (endpoint: string, event: SocketEvent) => void;
}

/** What `start` resolves to. */
export interface Started {
  readonly listeners: readonly Listener[];
  /** Address of the ops endpoint; undefined when it is off. */
  readonly ops: OpsEndpoint | undefined;
  /** Address of the probe port; undefined when it is off. */
  readonly probe: OpsEndpoint | undefined;
}

/**
 * Keeps endpoints and workers in service from `start` to `stop`. It runs no app code, so it, and the
 * ops endpoint beside it, answers whatever the app does.
 */
export class Supervisor {
  /** What an operator may ask for while we serve. */
  readonly changes: WorkerChanges;
  /** Resolves when everything is closed, however that came about. */
  readonly stopped: Promise<Stopped>;
  readonly #finished = createDeferred<Stopped>();
  readonly #options: SupervisorOptions;
  readonly #snapshots: SnapshotTaker;
  readonly #checkTarget = createCheckTarget();
  readonly #check: EndToEndCheck = createEndToEndCheck(this.#checkTarget);
  /** Resolves when a drain is to be finished, not only announced. */
  readonly #stopAsked = createDeferred<void>();
  readonly #aborted = new AbortController();
  readonly #opening: Opening;
  #phase: Phase = "starting";
  /** The shortest time that a stop has granted. */
  #graceMs = Number.POSITIVE_INFINITY;
  #deadline: Deadline | undefined;
  #isAnnounced = false;
  #isEnding = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.stopped = this.#finished.promise;
    this.#snapshots = new SnapshotTaker(options);
    this.#opening = new Opening({
      ...options,
      check: this.#check,
      signal: this.#aborted.signal,
      source: {
        current: () => this.current(),
        refresh: (withinMs) => this.refresh(withinMs),
        standing: () => this.standing(),
      },
      checkTarget: this.#checkTarget,
    });
    const opening = this.#opening;
    this.changes = new WorkerChanges({ ...options, opening, readPhase: () => this.#phase });
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** What is known now, without asking anybody. */
  current(): Snapshot {
    return this.#snapshots.take(this.#subject);
  }

  /** The part of it that probes are judged by, at little cost. */
  standing(): Standing {
    return this.#snapshots.standing(this.#subject);
  }

  /** What is known once the kernel and every worker were asked, which takes `withinMs` at most. */
  async refresh(withinMs: number): Promise<Snapshot> {
    const { listeners, workers } = this.#opening;
    await Promise.all([workers?.reports.ask(withinMs), this.#snapshots.refresh(listeners)]);
    return this.current();
  }

  /**
   * Opens what there is to open, in the order of `Opening`, and begins to serve. Resolves when ready;
   * rejects, with everything given back, when any of that fails or `stop` comes first. A stop that comes
   * while a live Outrigger is being relieved begins once that is done.
   */
  async start(): Promise<Started> {
    try {
      const { listeners, handover } = await this.#opening.run();
      this.#snapshots.noteReady();
      if (this.#isAnnounced) this.#beginDrain(Number.POSITIVE_INFINITY, "stop");
      else this.#enter("ready");
      this.#startKeeper(listeners);
      this.#opening.offer(() => this.#onTakenOver());
      if (this.#aborted.signal.aborted) {
        this.#endService(Math.min(this.#graceMs, this.changes.config.drain.gracePeriodMs), "stop");
      }
      if (handover !== undefined) await this.#opening.ops.openLate(handover);
      const { ports } = this.#opening.ops;
      return { listeners: listeners.listeners, ops: ports.ops, probe: ports.probe };
    } catch (error) {
      const { reason } = this.#aborted.signal;
      await this.#abandon();
      throw reason ?? error;
    }
  }

  /**
   * Begins a drain that `stop` finishes: nobody is to send anything new, and who comes all the same is
   * served. During the start it is remembered, and begins when that is done.
   */
  announceDrain(): void {
    const isEnding = this.#aborted.signal.aborted || this.#phase === "stopped";
    if (this.#isAnnounced || isEnding) return;
    this.#isAnnounced = true;
    this.#options.log.info({}, "drain announced");
    this.#snapshots.noteDrainStart();
    if (this.#phase === "ready") this.#beginDrain(Number.POSITIVE_INFINITY, "stop");
  }

  /**
   * Drains and closes everything; resolves when that is done. Called again it only moves the
   * deadline nearer. A start that is under way is given up.
   *
   * @param graceMs Time until what is left is cut (the configured grace period).
   */
  stop(graceMs: number = this.changes.config.drain.gracePeriodMs): Promise<Stopped> {
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    const hasNothingToDrain = this.#phase === "starting" || this.#phase === "stopped";
    this.#aborted.abort(new OutriggerError("ERR_STATE", "Stopped before it was ready"));
    if (!hasNothingToDrain) this.#endService(graceMs, "stop");
    return this.stopped;
  }

  get #subject(): Subject {
    const { certificates, ledger, listeners, workers } = this.#opening;
    const drainDeadlineAtMs = this.#deadline?.atMs;
    return { phase: this.#phase, certificates, ledger, listeners, workers, drainDeadlineAtMs };
  }

  #onTakenOver(): void {
    const isEnding = this.#aborted.signal.aborted;
    this.#aborted.abort();
    if (!isEnding) this.#endService(this.changes.config.drain.gracePeriodMs, "takeover");
  }

  /** Drains to the end; one that has begun is given this time at most. */
  #endService(graceMs: number, reason: DrainReason): void {
    if (!this.#isEnding) this.#options.onEnding?.();
    this.#isEnding = true;
    if (this.#deadline === undefined) {
      this.#beginDrain(graceMs, reason);
    } else {
      this.#deadline.shorten(graceMs);
      this.#opening.workers?.hurry(this.#deadline.atMs);
    }
    this.#stopAsked.resolve();
  }

  #beginDrain(graceMs: number, reason: DrainReason): void {
    this.#deadline = new Deadline(graceMs);
    void this.#drain(this.#deadline, reason);
  }

  async #drain(deadline: Deadline, reason: DrainReason): Promise<void> {
    this.#enter("draining");
    const { workers, listeners } = this.#opening;
    if (workers === undefined || listeners === undefined)
      return this.#finish({ forced: 0, failed: false });
    const { log } = this.#options;
    const { drain: config } = this.changes.config;
    const check = createEndToEndCheck(this.#checkTarget, "accepted");
    const close = (): Promise<boolean> => this.#opening.close();
    const stopAsked = this.#stopAsked.promise;
    const options = { config, workers, listeners, check, deadline, reason, stopAsked, log, close };
    this.#finish(await closeInOrder(options));
  }

  async #abandon(): Promise<void> {
    await this.#opening.workers?.drain(Date.now());
    const failed = !(await this.#opening.close());
    this.#finish({ forced: 0, failed });
  }

  #finish(outcome: Stopped): void {
    this.#enter("stopped");
    this.#snapshots.stop();
    this.#finished.resolve(outcome);
  }

  #startKeeper(listeners: ListenerManager): void {
    const { config, log, onSocket } = this.#options;
    new SocketKeeper({
      listeners,
      log,
      check: this.#check,
      signal: this.#aborted.signal,
      renewWorkers: config.workers === 0 ? undefined : () => this.changes.renew(),
      onChange: (endpoint, event) => {
        if (event === "socketLost") this.#snapshots.noteSocketLost();
        this.#opening.ops.ports.follow();
        onSocket?.(endpoint, event);
      },
    }).start();
  }

  #enter(phase: Phase): void {
    if (!canEnter(this.#phase, phase)) {
      throw new OutriggerError("ERR_STATE", `Cannot go from phase "${this.#phase}" to "${phase}"`);
    }
    this.#phase = phase;
    if (phase === "draining") this.#snapshots.noteDrainStart();
    this.#opening.ops.ports.follow();
    this.#options.onPhase?.(phase);
  }
}
