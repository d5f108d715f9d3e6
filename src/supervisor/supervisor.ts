import type { Config } from "../config/config.ts";
import { describeError, OutriggerError } from "../errors.ts";
import { Deadline } from "../lifecycle/deadline.ts";
import { createDeferred } from "../lifecycle/deferred.ts";
import { canEnter, type Phase } from "../lifecycle/phase.ts";
import type { EndToEndCheck, Listener } from "../listener/listener.ts";
import { ListenerManager } from "../listener/manager.ts";
import type { Logger } from "../log/logger.ts";
import { openOpsServer, type OpsServer } from "../ops/server.ts";
import type { Snapshot } from "../snapshot.ts";
import { closeInOrder, type Stopped } from "./closing.ts";
import { Ledger } from "./ledger.ts";
import { reloadConfig } from "./reload.ts";
import { createCheckTarget, createEndToEndCheck } from "./self-check.ts";
import { SnapshotTaker } from "./snapshot-taker.ts";
import { SocketKeeper, type SocketEvent } from "./socket-keeper.ts";
import type { SpawnWorker } from "./worker-process.ts";
import { WorkerSet } from "./worker-set.ts";
import type { WorkerStart } from "./worker-slot.ts";

export interface SupervisorOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly spawn: SpawnWorker;
  readonly version: string;
  /** Told of every phase as it begins. */
  readonly onPhase?: (phase: Phase) => void;
  /** Told when a socket file is not ours any more, and when it is again. */
  readonly onSocket?: (endpoint: string, event: SocketEvent) => void;
}

/** What `start` resolves to. */
export interface Started {
  readonly listeners: readonly Listener[];
  /** Address of the ops endpoint; undefined when it is off. */
  readonly ops: OpsServer["address"] | undefined;
}

/**
 * Keeps endpoints and workers in service from `start` to `stop`. It runs no app code, so it, and the
 * ops endpoint beside it, answers whatever the app does.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  /** As it was read last. */
  #config: Config;
  readonly #snapshots: SnapshotTaker;
  readonly #checkTarget = createCheckTarget();
  readonly #check: EndToEndCheck = createEndToEndCheck(this.#checkTarget);
  readonly #stopped = createDeferred<Stopped>();
  readonly #aborted = new AbortController();
  #phase: Phase = "starting";
  #listeners: ListenerManager | undefined;
  #workers: WorkerSet | undefined;
  #ops: OpsServer | undefined;
  #deadline: Deadline | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#snapshots = new SnapshotTaker(options);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Resolves when everything is closed, however that came about. */
  get stopped(): Promise<Stopped> {
    return this.#stopped.promise;
  }

  /** What is known now, without asking anybody. */
  current(): Snapshot {
    return this.#snapshots.take({
      phase: this.#phase,
      listeners: this.#listeners,
      workers: this.#workers,
    });
  }

  /** What is known once the kernel and every worker were asked, which takes `withinMs` at most. */
  async refresh(withinMs: number): Promise<Snapshot> {
    await Promise.all([this.#workers?.report(withinMs), this.#snapshots.refresh(this.#listeners)]);
    return this.current();
  }

  /**
   * Opens the ops endpoint, claims every endpoint, starts the workers, sends a request through each
   * socket and publishes them. Resolves when ready; rejects, with everything given back, when any of
   * that fails or `stop` comes first.
   */
  async start(): Promise<Started> {
    try {
      const listeners = await this.#open();
      this.#enter("ready");
      this.#startKeeper(listeners);
      return { listeners: listeners.listeners, ops: this.#ops?.address };
    } catch (error) {
      const { reason } = this.#aborted.signal;
      await this.#abandon();
      throw reason ?? error;
    }
  }

  /**
   * Drains and closes everything; resolves when that is done. Called again it only moves the
   * deadline nearer. A start that is under way is given up.
   *
   * @param graceMs Time until what is left is cut (the configured grace period).
   */
  stop(graceMs: number = this.#config.drain.gracePeriodMs): Promise<Stopped> {
    const hasNothingToDrain = this.#phase === "starting" || this.#phase === "stopped";
    this.#aborted.abort(new OutriggerError("ERR_STATE", "Stopped before it was ready"));
    if (hasNothingToDrain) return this.stopped;
    if (this.#deadline === undefined) {
      this.#deadline = new Deadline(graceMs);
      void this.#drain(this.#deadline);
    } else {
      this.#deadline.shorten(graceMs);
      this.#workers?.hurry(this.#deadline.atMs);
    }
    return this.stopped;
  }

  /**
   * Replaces the workers one by one with new ones, which load the app anew. Rejects, with the old
   * ones left serving, when a new one cannot start.
   */
  async reload(next: Config): Promise<void> {
    const { config, needRestart } = reloadConfig(this.#config, next);
    if (needRestart.length > 0) {
      this.#options.log.warn({ settings: needRestart }, "settings need a restart");
    }
    await this.#changeable.replaceAll(this.#startOf(config));
    this.#config = config;
  }

  /** Adds a worker; rejects when it cannot start. */
  async grow(): Promise<void> {
    await this.#changeable.grow();
  }

  /** Lets one worker finish without a successor; rejects when every one is needed. */
  async shrink(): Promise<void> {
    const workers = this.#changeable;
    const { minReady } = this.#config;
    if (workers.size <= minReady) {
      const reason = `min-ready is ${minReady}, and there are no more`;
      throw new OutriggerError("ERR_STATE", `Cannot take a worker away: ${reason}`);
    }
    await workers.shrink();
  }

  async #open(): Promise<ListenerManager> {
    const { config, log } = this.#options;
    await this.#openOps();
    this.#assertWanted();
    this.#listeners = await this.#claim(config);
    this.#workers = this.#createWorkers(this.#listeners);
    await this.#unlessAborted(this.#workers.start(config.minReady));
    const replaced = await this.#unlessAborted(
      this.#listeners.publish(this.#check, this.#aborted.signal),
    );
    for (const { address } of replaced) log.warn({ address }, "stale socket replaced");
    return this.#listeners;
  }

  /** A name to look up may take longer than a stop may wait; what is claimed after one is given back. */
  async #claim({ endpoints }: Config): Promise<ListenerManager> {
    const claim = ListenerManager.claim(endpoints);
    try {
      return await this.#unlessAborted(claim);
    } catch (error) {
      await ListenerManager.giveBack(claim);
      throw error;
    }
  }

  async #openOps(): Promise<void> {
    const { config, log } = this.#options;
    if (config.ops === undefined) return;
    this.#ops = await openOpsServer({
      endpoint: config.ops,
      log,
      current: () => this.current(),
      refresh: (withinMs) => this.refresh(withinMs),
    });
  }

  #createWorkers({ listeners }: ListenerManager): WorkerSet {
    const { config, spawn, log } = this.#options;
    const ledger = new Ledger(listeners.map(({ endpoint }) => endpoint.name));
    this.#snapshots.ledger = ledger;
    return new WorkerSet({
      size: Math.max(config.workers, 1),
      spawn,
      listeners,
      ledger,
      log,
      startCommand: this.#startOf(config),
    });
  }

  #startOf(config: Config): WorkerStart {
    // With the ports the system chose.
    const endpoints = this.#listeners?.listeners.map(({ endpoint }) => endpoint) ?? [];
    return { config: { ...config, endpoints }, checkTarget: this.#checkTarget };
  }

  /** The workers, where they are processes that can be replaced. */
  get #changeable(): WorkerSet {
    if (this.#config.workers === 0) {
      throw new OutriggerError("ERR_STATE", "Cannot change workers: the app runs in this process");
    }
    if (this.#workers !== undefined && this.#phase === "ready") return this.#workers;
    throw new OutriggerError("ERR_STATE", `Cannot change workers while ${this.#phase}`);
  }

  async #drain(deadline: Deadline): Promise<void> {
    this.#enter("draining");
    const workers = this.#workers;
    const listeners = this.#listeners;
    if (workers === undefined || listeners === undefined)
      return this.#finish({ forced: 0, failed: false });
    const { log } = this.#options;
    const { drain: config } = this.#config;
    const check = createEndToEndCheck(this.#checkTarget, "accepted");
    const close = (): Promise<boolean> => this.#closeAll();
    this.#finish(await closeInOrder({ config, workers, listeners, check, deadline, log, close }));
  }

  async #abandon(): Promise<void> {
    await this.#workers?.drain(Date.now());
    const failed = !(await this.#closeAll());
    this.#finish({ forced: 0, failed });
  }

  /** What cannot be cleaned up must not keep the rest open, nor us from ending; resolves to whether all of it was. */
  async #closeAll(): Promise<boolean> {
    let isClean = true;
    try {
      await this.#listeners?.close();
    } catch (error) {
      isClean = false;
      this.#options.log.error({ error: describeError(error) }, "close failed");
    }
    await this.#ops?.close();
    return isClean;
  }

  #finish(outcome: Stopped): void {
    this.#enter("stopped");
    this.#snapshots.stop();
    this.#stopped.resolve(outcome);
  }

  #startKeeper(listeners: ListenerManager): void {
    const { log, onSocket } = this.#options;
    const keeper = new SocketKeeper({
      listeners,
      log,
      check: this.#check,
      signal: this.#aborted.signal,
      renewWorkers: this.#config.workers === 0 ? undefined : () => this.reload(this.#config),
      onChange: (endpoint, event) => {
        if (event === "socketLost") this.#snapshots.noteSocketLost();
        onSocket?.(endpoint, event);
      },
    });
    keeper.start();
  }

  #enter(phase: Phase): void {
    if (!canEnter(this.#phase, phase)) {
      throw new OutriggerError("ERR_STATE", `Cannot go from phase "${this.#phase}" to "${phase}"`);
    }
    this.#phase = phase;
    if (phase === "ready") this.#snapshots.noteReady();
    if (phase === "draining") this.#snapshots.noteDrainStart();
    this.#options.onPhase?.(phase);
  }

  #assertWanted(): void {
    this.#aborted.signal.throwIfAborted();
  }

  #unlessAborted<Result>(step: Promise<Result>): Promise<Result> {
    const { signal } = this.#aborted;
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#assertWanted();
    return Promise.race([step, promise]).finally(() =>
      signal.removeEventListener("abort", onAbort),
    );
  }
}
