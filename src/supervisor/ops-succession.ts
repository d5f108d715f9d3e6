import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config/config.ts";
import { describeError, errnoOf, OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import { Deadline, settledBefore } from "../lifecycle/deadline.ts";
import type { Handover } from "../listener/change-hands.ts";
import type { Predecessor } from "../listener/succession.ts";
import type { Logger } from "../log/logger.ts";
import { OpsPorts, type OpsRefusal, type OpsSource } from "../ops/ports.ts";

/** How long the one we relieve may take to let go of its ops port. */
const OPS_FREE_WITHIN_MS = 5_000;
const RETRY_INTERVAL_MS = 1_000;
const FAILED = { ops: "ops endpoint failed", probe: "probe port cannot be opened" } as const;

export interface OpsSuccessionOptions {
  readonly config: Pick<Config, "ops" | "probe" | "takeover">;
  readonly log: Logger;
  /** What the ops endpoint shows. */
  readonly source: OpsSource;
}

/**
 * Brings the ops endpoint and the probe port into our hands: at the start where they are free, after a
 * takeover where the one we relieve has them.
 */
export class OpsSuccession {
  readonly ports: OpsPorts;
  readonly #options: OpsSuccessionOptions;
  /** Those that are still to come. */
  #refused: readonly OpsRefusal[] = [];
  /** The one we relieve has let go of them, as far as it had them. */
  #hasSucceeded = false;
  /** The attempt to open them that is under way, or was last. */
  #lateOpening: Promise<void> | undefined;
  /** Aborts when we let go of them, for somebody else or at our end. */
  readonly #unwanted = new AbortController();

  constructor(options: OpsSuccessionOptions) {
    this.#options = options;
    const { config, log, source } = options;
    this.ports = new OpsPorts({ config, log, ...source });
  }

  /** Opens what is free; rejects where a takeover could not bring the rest. */
  async open(): Promise<void> {
    this.#refused = await this.ports.open();
    for (const { error } of this.#refused) {
      const isInUse = error instanceof OutriggerError && errnoOf(error.cause) === "EADDRINUSE";
      if (!this.#options.config.takeover || !isInUse) throw error;
    }
  }

  /** Throws when somebody else than the one we relieve has what was not free. */
  expectFrom(predecessor: Predecessor | undefined): void {
    for (const { port, error } of this.#refused) {
      const theirs = port === "ops" ? predecessor?.opsPort : predecessor?.probePort;
      if (theirs !== this.#options.config[port]?.port) throw error;
    }
  }

  /** Whether that port is still to come. */
  isAwaited(port: OpsRefusal["port"]): boolean {
    return this.#refused.some((refusal) => refusal.port === port);
  }

  /** A port by number, also while the one we relieve has it; undefined when there is none. */
  portOf(port: OpsRefusal["port"]): number | undefined {
    const ours = this.ports[port];
    if (ours !== undefined) return ours.port;
    // Once we have asked for it and did not get it, somebody else has it.
    if (this.#hasSucceeded || !this.isAwaited(port)) return undefined;
    return this.#options.config[port]?.port;
  }

  /**
   * Opens what the one we relieve had. We serve by then: so a failure is told, and tried again until it
   * works or nobody wants it. A stop does not end this: probes and metrics are wanted while we drain,
   * too. Resolves after the first attempt.
   */
  openLate(handover: Handover): Promise<void> {
    this.#lateOpening = this.#openLate(handover);
    return this.#lateOpening;
  }

  /** Closes the ops endpoint before all else; resolves once its port is free. */
  async letGo(): Promise<void> {
    this.giveUp();
    await this.#lateOpening;
    // Answers that have begun are sent; nothing new is accepted from here on.
    void this.ports.close();
  }

  /** Tries no more to open what is still to come. */
  giveUp(): void {
    this.#unwanted.abort();
  }

  async #openLate({ opsFree }: Handover): Promise<void> {
    if (this.#refused.length === 0) return;
    const limit = new Deadline(OPS_FREE_WITHIN_MS);
    await settledBefore(opsFree, AbortSignal.any([limit.signal, this.#unwanted.signal]));
    limit.clear();
    if (this.#unwanted.signal.aborted) return;
    this.#hasSucceeded = true;
    this.#refused = await this.ports.open();
    for (const { port, error } of this.#refused) {
      const { message } = describeError(error);
      this.#options.log.error({ error: message }, FAILED[port]);
    }
    void this.#openUntilDone();
  }

  async #openUntilDone(): Promise<void> {
    const { signal } = this.#unwanted;
    while (this.#refused.length > 0) {
      await delay(RETRY_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      this.#lateOpening = this.#openAgain();
      await this.#lateOpening;
    }
  }

  async #openAgain(): Promise<void> {
    const before = this.ports.ops;
    this.#refused = await this.ports.open();
    const { ops } = this.ports;
    if (before !== undefined || ops === undefined) return;
    this.#options.log.info({ address: formatHostPort(ops) }, "ops endpoint open");
  }
}
