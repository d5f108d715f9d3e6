import { DEFAULTS, type Config, type RecycleConfig } from "./config.ts";
import { formatDuration } from "./duration.ts";
import { choose, type Layer } from "./layers.ts";
import { readNumber, refuseNumber } from "./read-number.ts";
import { ValueError } from "./value-error.ts";

/** Less than two reports in a row may be late on any busy machine. */
const SHORTEST_WORKER_TIMEOUT_MS = 2_000;

/** What is decided about workers; each of these depends on how many there are. */
export function resolveWorkers(layers: readonly Layer[], cpuCount: number): WorkersConfig {
  const workers = resolveCount(layers, cpuCount);
  return {
    workers,
    waitReady: resolveWaitReady(layers, workers),
    minReady: resolveMinReady(layers, workers),
    recycle: resolveRecycle(layers, workers),
    workerTimeoutMs: resolveWorkerTimeout(layers, workers),
  };
}

type WorkersConfig = Pick<
  Config,
  "workers" | "waitReady" | "minReady" | "recycle" | "workerTimeoutMs"
>;

function resolveCount(layers: readonly Layer[], cpuCount: number): number {
  const workers = choose(layers, "workers")?.value ?? DEFAULTS.workers;
  return workers === "auto" ? Math.max(1, cpuCount) : workers;
}

function resolveWaitReady(layers: readonly Layer[], workers: number): boolean {
  const chosen = choose(layers, "wait-ready");
  if (chosen?.value !== true || workers > 0) return chosen?.value ?? DEFAULTS.waitReady;
  const reason = "with --workers 0 the app has no process.send() of its own";
  throw new ValueError("true", reason).at(chosen.layer.describe("wait-ready", "true"));
}

function resolveMinReady(layers: readonly Layer[], workers: number): number {
  const most = Math.max(1, workers);
  const minReady = readNumber(layers, "min-ready", DEFAULTS.minReady);
  if (minReady <= most) return minReady;
  throw refuseNumber(
    layers,
    "min-ready",
    `there ${most === 1 ? "is 1 worker" : `are ${most} workers`}`,
  );
}

function resolveRecycle(layers: readonly Layer[], workers: number): RecycleConfig {
  const names = ["max-requests", "max-lifetime", "max-rss"] as const;
  const given = names.find((name) => readNumber(layers, name, 0) > 0);
  if (given !== undefined && workers === 0) {
    throw refuseNumber(layers, given, "with --workers 0 there is no worker to replace");
  }
  return {
    maxRequests: readNumber(layers, "max-requests", DEFAULTS.maxRequests),
    maxLifetimeMs: readNumber(layers, "max-lifetime", DEFAULTS.maxLifetimeMs),
    maxRssBytes: readNumber(layers, "max-rss", DEFAULTS.maxRssBytes),
  };
}

function resolveWorkerTimeout(layers: readonly Layer[], workers: number): number {
  const fallback = workers === 0 ? 0 : DEFAULTS.workerTimeoutMs;
  const timeoutMs = readNumber(layers, "worker-timeout", fallback);
  if (timeoutMs === 0) return 0;
  if (workers === 0) {
    const reason = "with --workers 0 there is no worker to replace";
    throw refuseNumber(layers, "worker-timeout", reason);
  }
  if (timeoutMs >= SHORTEST_WORKER_TIMEOUT_MS) return timeoutMs;
  const shortest = formatDuration(SHORTEST_WORKER_TIMEOUT_MS);
  const reason = `expected 0, or at least ${shortest}: workers report once a second`;
  throw refuseNumber(layers, "worker-timeout", reason);
}
