import type { Config } from "../config/config.ts";
import { describeError, errnoOf, OutriggerError } from "../errors.ts";
import { Deadline, settledBefore } from "../lifecycle/deadline.ts";
import type { Handover } from "../listener/change-hands.ts";
import type { EndToEndCheck } from "../listener/listener.ts";
import { ListenerManager } from "../listener/manager.ts";
import type { Logger } from "../log/logger.ts";
import { openOpsPorts, type OpsPorts, type OpsSource } from "../ops/ports.ts";
import { Ledger } from "./ledger.ts";
import type { SpawnWorker } from "./worker-process.ts";
import { WorkerSet } from "./worker-set.ts";
import type { WorkerStart } from "./worker-slot.ts";

/** How long the one we relieve may take to let go of its ops port. */
const OPS_FREE_WITHIN_MS = 5_000;

export interface OpeningOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly check: EndToEndCheck;
  /** What the ops endpoint shows. */
  readonly source: OpsSource;
  readonly spawn: SpawnWorker;
  readonly checkTarget: string;
  /** Told where the counts of endpoints come from, as soon as that is known. */
  readonly onLedger: (ledger: Ledger) => void;
  /** Aborts when nobody wants it any more. */
  readonly signal: AbortSignal;
}

/**
 * Opens the ops endpoint, claims every endpoint, starts the workers and publishes: in this order, and
 * what is open is known at any time.
 */
export class Opening {
  readonly #options: OpeningOptions;
  #listeners: ListenerManager | undefined;
  #workers: WorkerSet | undefined;
  #ops: OpsPorts | undefined;
  /** Why the ops endpoint and the probe port could not be opened yet. */
  #opsRefusal: OutriggerError | undefined;
  #lateOps: Promise<void> | undefined;

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  get listeners(): ListenerManager | undefined {
    return this.#listeners;
  }

  get workers(): WorkerSet | undefined {
    return this.#workers;
  }

  /** The ops endpoint and the probe port. */
  get ops(): OpsPorts | undefined {
    return this.#ops;
  }

  /** Resolves when every endpoint is published; with a `handover`, `openLateOps` is still to come. */
  async run(): Promise<{ readonly listeners: ListenerManager; readonly handover?: Handover }> {
    const { config, log, check, signal } = this.#options;
    await this.#openOps();
    signal.throwIfAborted();
    const listeners = (this.#listeners = await this.#claim());
    const { predecessor } = listeners;
    if (this.#opsRefusal !== undefined && predecessor?.opsPort !== config.ops?.port) {
      throw this.#opsRefusal;
    }
    if (predecessor !== undefined) log.info({ from: predecessor.pid }, "taking over");
    this.#workers = this.#createWorkers(listeners);
    await this.#unlessAborted(this.#workers.start(config.minReady));
    const replaced = await this.#unlessAborted(listeners.publish(check, signal));
    for (const { address } of replaced) log.warn({ address }, "stale socket replaced");
    const wantsOps = this.#opsRefusal !== undefined;
    // From here on there is no way back: the one we relieve ends, and a stop of ours is a drain.
    const handover = await listeners.succeed(check, { wantsOps });
    return { listeners, ...(handover && { handover }) };
  }

  /** What a worker is started with under this configuration. */
  startOf(config: Config): WorkerStart {
    // With the ports the system chose.
    const endpoints = this.#listeners?.listeners.map(({ endpoint }) => endpoint) ?? [];
    return { config: { ...config, endpoints }, checkTarget: this.#options.checkTarget };
  }

  /** Port of the ops endpoint, also while it is still to come; undefined when there is none. */
  get opsPort(): number | undefined {
    return this.#ops?.ops?.port ?? (this.#opsRefusal && this.#options.config.ops?.port);
  }

  /**
   * Opens the ops endpoint where the one we relieve had its port. We serve by then: so a failure is
   * told, and nothing else.
   */
  openLateOps(handover: Handover): Promise<void> {
    this.#lateOps = this.#openLateOps(handover);
    return this.#lateOps;
  }

  /** Closes the ops endpoint before all else; resolves once its port is free. */
  async letGoOfOps(): Promise<void> {
    await this.#lateOps;
    // Answers that have begun are sent; nothing new is accepted from here on.
    void this.#ops?.close();
  }

  /** What cannot be cleaned up must not keep the rest open, nor us from ending; resolves to whether all of it was. */
  async close(): Promise<boolean> {
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

  #createWorkers({ listeners }: ListenerManager): WorkerSet {
    const { config, spawn, log, onLedger } = this.#options;
    const ledger = new Ledger(listeners.map(({ endpoint }) => endpoint.name));
    onLedger(ledger);
    return new WorkerSet({
      size: Math.max(config.workers, 1),
      spawn,
      listeners,
      ledger,
      log,
      startCommand: this.startOf(config),
      onChange: () => this.#ops?.follow(),
    });
  }

  async #openOps(): Promise<void> {
    const { config } = this.#options;
    try {
      await this.#listenForOps();
    } catch (error) {
      const isInUse = error instanceof OutriggerError && errnoOf(error.cause) === "EADDRINUSE";
      if (!config.takeover || !isInUse) throw error;
      this.#opsRefusal = error;
    }
  }

  async #openLateOps({ opsFree }: Handover): Promise<void> {
    const { log, signal } = this.#options;
    if (this.#opsRefusal === undefined) return;
    const limit = new Deadline(OPS_FREE_WITHIN_MS);
    await settledBefore(opsFree, AbortSignal.any([limit.signal, signal]));
    limit.clear();
    try {
      if (!signal.aborted) await this.#listenForOps();
    } catch (error) {
      log.error({ error: describeError(error) }, "ops endpoint failed");
    }
    this.#opsRefusal = undefined;
  }

  async #listenForOps(): Promise<void> {
    const { config, log, source } = this.#options;
    this.#ops = await openOpsPorts({ config, log, ...source });
    this.#ops.follow();
  }

  /** A name to look up may take longer than a stop may wait; what is claimed after one is given back. */
  async #claim(): Promise<ListenerManager> {
    const { endpoints, takeover } = this.#options.config;
    const claim = takeover
      ? ListenerManager.claimFromLive(endpoints)
      : ListenerManager.claim(endpoints);
    try {
      return await this.#unlessAborted(claim);
    } catch (error) {
      await ListenerManager.giveBack(claim);
      throw error;
    }
  }

  #unlessAborted<Result>(step: Promise<Result>): Promise<Result> {
    const { signal } = this.#options;
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    signal.throwIfAborted();
    return Promise.race([step, promise]).finally(() =>
      signal.removeEventListener("abort", onAbort),
    );
  }
}
