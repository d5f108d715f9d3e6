import { setTimeout as delay } from "node:timers/promises";
import type { Activation } from "../activation.ts";
import type { Endpoint, Config } from "../config/config.ts";
import { refuseUnheardProxies } from "../config/unheard-proxies.ts";
import { describeError, errnoOf, OutriggerError } from "../errors.ts";
import { Deadline, settledBefore } from "../lifecycle/deadline.ts";
import { formatHostPort } from "../host-port.ts";
import type { Handover } from "../listener/change-hands.ts";
import { findHanded } from "../listener/find-handed.ts";
import type { EndToEndCheck } from "../listener/listener.ts";
import { ListenerManager } from "../listener/manager.ts";
import type { Logger } from "../log/logger.ts";
import { OpsPorts, type OpsRefusal, type OpsSource } from "../ops/ports.ts";
import { Certificates } from "./certificates.ts";
import { Ledger } from "./ledger.ts";
import type { SpawnWorker } from "./worker-process.ts";
import { WorkerSet } from "./worker-set.ts";
import type { WorkerStart } from "./worker-slot.ts";

/** How long the one we relieve may take to let go of its ops port. */
const OPS_FREE_WITHIN_MS = 5_000;
const RETRY_INTERVAL_MS = 1_000;
const FAILED = { ops: "ops endpoint failed", probe: "probe port cannot be opened" } as const;

export interface OpeningOptions {
  readonly config: Config;
  /** Sockets that we were handed (none). */
  readonly activation?: Activation;
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
 * Reads the certificates, opens the ops endpoint, claims every endpoint, starts the workers and publishes: in this order, and
 * what is open is known at any time.
 */
export class Opening {
  readonly #options: OpeningOptions;
  #listeners: ListenerManager | undefined;
  #workers: WorkerSet | undefined;
  readonly #certificates: Certificates;
  readonly #ops: OpsPorts;
  /** Those of the ops endpoint and the probe port that are still to come. */
  #refused: readonly OpsRefusal[] = [];
  /** The one we relieve has let go of them, as far as it had them. */
  #hasSucceeded = false;
  /** The attempt to open them that is under way, or was last. */
  #lateOps: Promise<void> | undefined;
  /** Aborts when we let go of the ops endpoint, for somebody else or at our end. */
  readonly #opsUnwanted = new AbortController();

  constructor(options: OpeningOptions) {
    this.#options = options;
    const { config, log, source } = options;
    this.#ops = new OpsPorts({ config, log, ...source });
    this.#certificates = new Certificates({
      endpoints: config.endpoints,
      log,
      onRenew: (endpoint, credentials) => this.#workers?.renew(endpoint, credentials),
    });
  }

  /** What the endpoints that speak TLS prove themselves with. */
  get certificates(): Certificates {
    return this.#certificates;
  }

  get listeners(): ListenerManager | undefined {
    return this.#listeners;
  }

  get workers(): WorkerSet | undefined {
    return this.#workers;
  }

  /** The ops endpoint and the probe port. */
  get ops(): OpsPorts {
    return this.#ops;
  }

  /** Resolves when every endpoint is published; with a `handover`, `openLateOps` is still to come. */
  async run(): Promise<{ readonly listeners: ListenerManager; readonly handover?: Handover }> {
    const { config, log, check, signal } = this.#options;
    const endpoints = await this.#findHanded();
    await this.#certificates.load();
    await this.#openOps();
    signal.throwIfAborted();
    const listeners = (this.#listeners = await this.#claim(endpoints));
    const { predecessor } = listeners;
    for (const { port, error } of this.#refused) {
      const portOfPredecessor = port === "ops" ? predecessor?.opsPort : predecessor?.probePort;
      if (portOfPredecessor !== config[port]?.port) throw error;
    }
    if (predecessor !== undefined) log.info({ from: predecessor.pid }, "taking over");
    this.#workers = this.#createWorkers(listeners);
    await this.#unlessAborted(this.#workers.start(config.minReady));
    const replaced = await this.#unlessAborted(listeners.publish(check, signal));
    for (const { address } of replaced) log.warn({ address }, "stale socket replaced");
    // Its probe port closes by itself, because it is not ready any more.
    const wantsOps = this.#isRefused("ops");
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

  /** Port of the ops endpoint, also while the one we relieve has it; undefined when there is none. */
  get opsPort(): number | undefined {
    return this.#ops.ops?.port ?? this.#portOfPredecessor("ops");
  }

  /** The same of the probe port. */
  get probePort(): number | undefined {
    return this.#ops.probe?.port ?? this.#portOfPredecessor("probe");
  }

  /**
   * Opens the ops endpoint and the probe port where the one we relieve had them. We serve by then: so
   * a failure is told, and tried again until it works or nobody wants it. Resolves after the first attempt.
   */
  openLateOps(handover: Handover): Promise<void> {
    this.#lateOps = this.#openLateOps(handover);
    return this.#lateOps;
  }

  /** Closes the ops endpoint before all else; resolves once its port is free. */
  async letGoOfOps(): Promise<void> {
    this.#opsUnwanted.abort();
    await this.#lateOps;
    // Answers that have begun are sent; nothing new is accepted from here on.
    void this.#ops.close();
  }

  /** What cannot be cleaned up must not keep the rest open, nor us from ending; resolves to whether all of it was. */
  async close(): Promise<boolean> {
    let isClean = true;
    this.#certificates.close();
    this.#opsUnwanted.abort();
    try {
      await this.#listeners?.close();
    } catch (error) {
      isClean = false;
      this.#options.log.error({ error: describeError(error) }, "close failed");
    }
    await this.#ops.close();
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
      readCredentials: () => this.#certificates.current,
      onChange: () => this.#ops.follow(),
    });
  }

  async #findHanded(): Promise<readonly Endpoint[]> {
    const { config, activation = { kind: "none" }, log } = this.#options;
    const { endpoints, unused } = await findHanded(config.endpoints, activation);
    for (const { descriptor, name } of unused)
      log.warn({ descriptor, name }, "handed socket is not used");
    for (const endpoint of endpoints) refuseUnheardProxies(endpoint, config.trustedProxies);
    return endpoints;
  }

  async #openOps(): Promise<void> {
    const { takeover } = this.#options.config;
    this.#refused = await this.#ops.open();
    for (const { error } of this.#refused) {
      const isInUse = error instanceof OutriggerError && errnoOf(error.cause) === "EADDRINUSE";
      if (!takeover || !isInUse) throw error;
    }
  }

  /** A stop does not end this: probes and metrics are wanted while we drain, too. */
  async #openLateOps({ opsFree }: Handover): Promise<void> {
    if (this.#refused.length === 0) return;
    const limit = new Deadline(OPS_FREE_WITHIN_MS);
    await settledBefore(opsFree, AbortSignal.any([limit.signal, this.#opsUnwanted.signal]));
    limit.clear();
    this.#hasSucceeded = true;
    this.#refused = await this.#ops.open();
    for (const { port, error } of this.#refused) {
      const { message } = describeError(error);
      this.#options.log.error({ error: message }, FAILED[port]);
    }
    void this.#openUntilDone();
  }

  async #openUntilDone(): Promise<void> {
    const { signal } = this.#opsUnwanted;
    while (this.#refused.length > 0) {
      await delay(RETRY_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      this.#lateOps = this.#openAgain();
      await this.#lateOps;
    }
  }

  async #openAgain(): Promise<void> {
    const before = this.#ops.ops;
    this.#refused = await this.#ops.open();
    const { ops } = this.#ops;
    if (before !== undefined || ops === undefined) return;
    this.#options.log.info({ address: formatHostPort(ops) }, "ops endpoint open");
  }

  /** Once we have asked for it and did not get it, somebody else has it. */
  #portOfPredecessor(port: OpsRefusal["port"]): number | undefined {
    if (this.#hasSucceeded || !this.#isRefused(port)) return undefined;
    return this.#options.config[port]?.port;
  }

  #isRefused(port: OpsRefusal["port"]): boolean {
    return this.#refused.some((refusal) => refusal.port === port);
  }

  /** A name to look up may take longer than a stop may wait; what is claimed after one is given back. */
  async #claim(endpoints: readonly Endpoint[]): Promise<ListenerManager> {
    const { takeover } = this.#options.config;
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
