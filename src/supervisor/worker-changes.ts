import type { Config } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import type { Phase } from "../lifecycle/phase.ts";
import type { Logger } from "../log/logger.ts";
import type { Opening } from "./opening.ts";
import { reloadConfig } from "./reload.ts";
import type { WorkerSet } from "./worker-set.ts";

export interface WorkerChangesOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly opening: Pick<Opening, "certificates" | "startOf" | "workers">;
  readonly readPhase: () => Phase;
}

/** What may change while a process serves: what its workers are started with, and how many there are. */
export class WorkerChanges {
  readonly #options: WorkerChangesOptions;
  #config: Config;

  constructor(options: WorkerChangesOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** The configuration as it was taken over last. */
  get config(): Config {
    return this.#config;
  }

  /**
   * Reads the certificates again and replaces the workers one by one with new ones, which load the app
   * anew. Rejects, with the old ones left serving, when a new one cannot start.
   */
  async reload(next: Config): Promise<void> {
    const { log, opening } = this.#options;
    const { config, needRestart } = reloadConfig(this.#config, next);
    if (needRestart.length > 0) log.warn({ settings: needRestart }, "settings need a restart");
    // Also where no worker can be replaced: this needs none.
    await opening.certificates.reload();
    await this.#workers.replaceAll(opening.startOf(config));
    this.#config = config;
  }

  /** Adds a worker; rejects when it cannot start. */
  async grow(): Promise<void> {
    await this.#workers.grow();
  }

  /** Lets one worker finish without a successor; rejects when every one is needed. */
  async shrink(): Promise<void> {
    const workers = this.#workers;
    const { minReady } = this.#config;
    if (workers.size <= minReady) {
      const reason = `min-ready is ${minReady}, and there are no more`;
      throw new OutriggerError("ERR_STATE", `Cannot take a worker away: ${reason}`);
    }
    await workers.shrink();
  }

  /** Replaces the workers by ones that are started like them, also while a drain is only announced. */
  async renew(): Promise<void> {
    const { opening } = this.#options;
    await opening.workers?.replaceAll(opening.startOf(this.#config));
  }

  /** The workers, where they are processes that can be replaced. */
  get #workers(): WorkerSet {
    if (this.#config.workers === 0) {
      throw new OutriggerError("ERR_STATE", "Cannot change workers: the app runs in this process");
    }
    const { opening, readPhase } = this.#options;
    const phase = readPhase();
    if (opening.workers !== undefined && phase === "ready") return opening.workers;
    throw new OutriggerError("ERR_STATE", `Cannot change workers while ${phase}`);
  }
}
