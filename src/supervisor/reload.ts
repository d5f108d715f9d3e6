import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/config.ts";

/** Settings that are bound to sockets and processes that live on; a restart or a takeover changes them. */
const FIXED = [
  "endpoints",
  "takeover",
  "ops",
  "probe",
  "workers",
  "minReady",
  "balance",
] as const satisfies (keyof Config)[];

/** What a configuration that was read anew comes to in a process that goes on. */
export interface Reloaded {
  readonly config: Config;
  /** Settings that differ and cannot be taken over. */
  readonly needRestart: readonly string[];
}

/** Takes over what new workers can be given, and names what they cannot. */
export function reloadConfig(current: Config, next: Config): Reloaded {
  const { endpoints, takeover, ops, probe, workers, minReady, balance } = current;
  return {
    config: {
      ...next,
      endpoints,
      takeover,
      ops,
      probe,
      workers,
      minReady,
      balance,
      log: { ...next.log, level: current.log.level },
    },
    needRestart: [
      ...FIXED.filter((name) => !isDeepStrictEqual(current[name], next[name])),
      ...(current.log.level === next.log.level ? [] : ["logLevel"]),
    ],
  };
}
