import type { RecycleConfig } from "../config/config.ts";
import type { RestartReason } from "../snapshot.ts";

/** Random share by which a limit is raised, so that workers of one age do not leave together. */
const JITTER = 0.1;
/** One large request may need much memory for a moment: only a worker that stays large is replaced. */
const RSS_SAMPLES = 3;

/** What a worker has behind it. */
export interface Vitals {
  readonly requests: number;
  readonly livedMs: number;
  readonly residentBytes: number;
}

/** Decides from one report to the next whether a worker has served long enough. */
export class RecyclePolicy {
  readonly #limits: RecycleConfig;
  #samplesAboveRss = 0;

  /** @param random A number from 0 to 1, drawn once for each worker. */
  constructor(config: RecycleConfig, random: number) {
    const raise = (limit: number): number => limit * (1 + JITTER * random);
    this.#limits = {
      maxRequests: raise(config.maxRequests),
      maxLifetimeMs: raise(config.maxLifetimeMs),
      maxRssBytes: config.maxRssBytes,
    };
  }

  /** Requests after which a report is worth while; 0 when their number does not matter. */
  get reportAfterRequests(): number {
    return Math.ceil(this.#limits.maxRequests);
  }

  /** Why the worker is to be replaced; undefined while it may stay. A limit of 0 is none. */
  judge({ requests, livedMs, residentBytes }: Vitals): RestartReason | undefined {
    const { maxRequests, maxLifetimeMs, maxRssBytes } = this.#limits;
    const isLarge = maxRssBytes > 0 && residentBytes > maxRssBytes;
    this.#samplesAboveRss = isLarge ? this.#samplesAboveRss + 1 : 0;
    if (maxRequests > 0 && requests >= maxRequests) return "max_requests";
    if (maxLifetimeMs > 0 && livedMs >= maxLifetimeMs) return "max_lifetime";
    return this.#samplesAboveRss >= RSS_SAMPLES ? "max_rss" : undefined;
  }
}
