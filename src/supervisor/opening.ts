import type { Activation } from "../activation.ts";
import type { Endpoint, Config } from "../config/config.ts";
import { refuseUnheardProxies } from "../config/unheard-proxies.ts";
import { describeError } from "../errors.ts";
import type { Handover } from "../listener/change-hands.ts";
import { findHanded } from "../listener/find-handed.ts";
import type { EndToEndCheck } from "../listener/listener.ts";
import { ListenerManager } from "../listener/manager.ts";
import type { Logger } from "../log/logger.ts";
import type { OpsSource } from "../ops/ports.ts";
import { Certificates } from "./certificates.ts";
import { Ledger } from "./ledger.ts";
import { OpsSuccession } from "./ops-succession.ts";
import type { SpawnWorker } from "./worker-process.ts";
import { WorkerSet } from "./worker-set.ts";
import type { WorkerStart } from "./worker-slot.ts";

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
  /** Aborts when nobody wants it any more. */
  readonly signal: AbortSignal;
}

/**
 * Reads the certificates, opens the ops endpoint, claims every endpoint, starts the workers and
 * publishes: in this order, and what is open is known at any time.
 */
export class Opening {
  /** What the endpoints that speak TLS prove themselves with. */
  readonly certificates: Certificates;
  /** The ops endpoint and the probe port, and how these come to us. */
  readonly ops: OpsSuccession;
  readonly #options: OpeningOptions;
  #listeners: ListenerManager | undefined;
  #workers: WorkerSet | undefined;
  #ledger = new Ledger([]);

  constructor(options: OpeningOptions) {
    this.#options = options;
    const { config, log } = options;
    this.ops = new OpsSuccession(options);
    this.certificates = new Certificates({
      endpoints: config.endpoints,
      log,
      onRenew: (endpoint, credentials) => this.#workers?.renew(endpoint, credentials),
    });
  }

  get listeners(): ListenerManager | undefined {
    return this.#listeners;
  }

  get workers(): WorkerSet | undefined {
    return this.#workers;
  }

  /** Where the counts of endpoints come from; empty as long as there are no listeners. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Resolves when every endpoint is published; with a `handover`, `ops.openLate` is still to come. */
  async run(): Promise<{ readonly listeners: ListenerManager; readonly handover?: Handover }> {
    const { config, log, check, signal } = this.#options;
    const endpoints = await this.#findHanded();
    await this.certificates.load();
    await this.ops.open();
    signal.throwIfAborted();
    const listeners = (this.#listeners = await this.#claim(endpoints));
    const { predecessor } = listeners;
    this.ops.expectFrom(predecessor);
    if (predecessor !== undefined) log.info({ from: predecessor.pid }, "taking over");
    this.#workers = this.#createWorkers(listeners);
    await this.#unlessAborted(this.#workers.start(config.minReady));
    const replaced = await this.#unlessAborted(listeners.publish(check, signal));
    for (const { address } of replaced) log.warn({ address }, "stale socket replaced");
    // Its probe port closes by itself, because it is not ready any more.
    const wantsOps = this.ops.isAwaited("ops");
    // From here on there is no way back: the one we relieve ends, and a stop of ours is a drain.
    const handover = await listeners.succeed(check, { wantsOps });
    return { listeners, ...(handover && { handover }) };
  }

  /** Lets another Outrigger relieve us, now or while we drain already. */
  offer(onTakenOver: () => void): void {
    const { log } = this.#options;
    this.#listeners?.offer({
      opsPort: () => this.ops.portOf("ops"),
      probePort: () => this.ops.portOf("probe"),
      letGoOfOps: () => this.ops.letGo(),
      onRecovered: ({ address }) => log.warn({ address }, "socket file put back"),
      onTakenOver: ({ pid }) => {
        log.info({ by: pid }, "taken over");
        onTakenOver();
      },
    });
  }

  /** What a worker is started with under this configuration. */
  startOf(config: Config): WorkerStart {
    // With the ports the system chose.
    const endpoints = this.#listeners?.listeners.map(({ endpoint }) => endpoint) ?? [];
    return { config: { ...config, endpoints }, checkTarget: this.#options.checkTarget };
  }

  /** What cannot be cleaned up must not keep the rest open, nor us from ending; resolves to whether all of it was. */
  async close(): Promise<boolean> {
    let isClean = true;
    this.certificates.close();
    this.ops.giveUp();
    try {
      await this.#listeners?.close();
    } catch (error) {
      isClean = false;
      this.#options.log.error({ error: describeError(error) }, "close failed");
    }
    await this.ops.ports.close();
    return isClean;
  }

  #createWorkers({ listeners }: ListenerManager): WorkerSet {
    const { config, spawn, log } = this.#options;
    this.#ledger = new Ledger(listeners.map(({ endpoint }) => endpoint.name));
    return new WorkerSet({
      size: Math.max(config.workers, 1),
      spawn,
      listeners,
      ledger: this.#ledger,
      log,
      startCommand: this.startOf(config),
      readCredentials: () => this.certificates.current,
      onChange: () => this.ops.ports.follow(),
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
