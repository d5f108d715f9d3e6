import type { Config, OpsEndpoint } from "../config/config.ts";
import type { Logger } from "../log/logger.ts";
import { judge } from "./health.ts";
import { ProbePort } from "./probe-port.ts";
import type { Standing } from "../snapshot.ts";
import type { SnapshotSource } from "./routes.ts";
import { openOpsServer, type OpsServer } from "./server.ts";

/** Where both ports get their facts from. */
export interface OpsSource extends SnapshotSource {
  /** What the probe port follows, at once and at little cost: it is asked for at every report of a worker. */
  readonly standing: () => Standing;
}

export interface OpsPortsOptions extends OpsSource {
  readonly config: Pick<Config, "ops" | "probe">;
  readonly log: Logger;
}

/** A port that could not be had, and why. */
export interface OpsRefusal {
  readonly port: "ops" | "probe";
  readonly error: unknown;
}

/** The ports for those who watch us: the ops endpoint and the probe port, each as soon as it can be had. */
export class OpsPorts {
  readonly #options: OpsPortsOptions;
  #server: OpsServer | undefined;
  #probe: ProbePort | undefined;
  #isClosed = false;

  constructor(options: OpsPortsOptions) {
    this.#options = options;
  }

  /** Address of the ops endpoint; undefined while it is not open, or off. */
  get ops(): OpsEndpoint | undefined {
    return this.#server?.address;
  }

  /** Address of the probe port; undefined while we do not have it, or off. */
  get probe(): OpsEndpoint | undefined {
    return this.#probe?.address;
  }

  /** Opens the ops endpoint and takes the probe port, as far as that is not done; resolves to those that were refused. */
  async open(): Promise<readonly OpsRefusal[]> {
    const refused: OpsRefusal[] = [];
    await this.#openServer().catch((error: unknown) => refused.push({ port: "ops", error }));
    await this.#claimProbe().catch((error: unknown) => refused.push({ port: "probe", error }));
    this.follow();
    return refused;
  }

  /** Opens or closes the probe port; to be called whenever readiness may have changed. */
  follow(): void {
    this.#probe?.follow();
  }

  /** Gives back both; the ops endpoint sends the answers that have begun. Nothing is opened any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#probe?.close();
    await this.#server?.close();
  }

  async #openServer(): Promise<void> {
    const { config, ...options } = this.#options;
    if (config.ops === undefined || this.#server !== undefined || this.#isClosed) return;
    this.#server = await openOpsServer({ endpoint: config.ops, ...options });
    // A close that came meanwhile did not know of it.
    if (this.#isClosed) await this.#server.close();
  }

  async #claimProbe(): Promise<void> {
    const { config, log, standing } = this.#options;
    if (config.probe === undefined || this.#probe !== undefined || this.#isClosed) return;
    const isReady = (): boolean => judge("readyz", standing()).passed;
    this.#probe = await ProbePort.claim({ endpoint: config.probe, log, isReady });
    if (this.#isClosed) this.#probe.close();
  }
}
