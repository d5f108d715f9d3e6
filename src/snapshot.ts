import type { EndpointCounters } from "./counters.ts";
import type { Phase } from "./lifecycle/phase.ts";

/** What one process says of itself; names and units follow prom-client's default metrics. */
export interface ProcessStats {
  readonly pid: number;
  readonly startTimeSeconds: number;
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
  readonly residentBytes: number;
  readonly heapTotalBytes: number;
  readonly heapUsedBytes: number;
  /** At which V8 gives up. */
  readonly heapLimitBytes: number;
  readonly externalBytes: number;
  /** Since the previous report of the process. */
  readonly eventLoopLagSeconds: {
    readonly min: number;
    readonly mean: number;
    readonly max: number;
    readonly p50: number;
    readonly p99: number;
  };
}

/** States of a worker handle; a worker moves to the right, or from anywhere to `exited`. */
export const WORKER_STATES = ["spawned", "starting", "ready", "draining", "exited"] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** Why a worker was replaced. */
export const RESTART_REASONS = [
  "crash", "killed", "out_of_memory", "start_failed", "unresponsive", "reload", "max_requests",
  "max_lifetime", "max_rss",
] as const; // prettier-ignore
export type RestartReason = (typeof RESTART_REASONS)[number];

/** A count of 0 for every reason. */
export function noRestarts(): Record<RestartReason, number> {
  return Object.fromEntries(RESTART_REASONS.map((reason) => [reason, 0])) as Record<
    RestartReason,
    number
  >;
}

export interface WorkerView {
  /** Stable index of the slot it fills. */
  readonly slot: number;
  readonly pid: number | undefined;
  readonly state: WorkerState;
  /** Time since it reported last; a worker whose loop turns reports every second. */
  readonly silentForMs: number;
  readonly connections: number;
  readonly requestsInFlight: number;
  /** What the app's own `health()` said last; undefined while it has not been asked. */
  readonly health: HealthReport | undefined;
  /** Undefined until the worker has reported once. */
  readonly process: ProcessStats | undefined;
}

/** A slot that waits to be filled, because the workers in it ended soon after their start. */
export interface BackoffView {
  readonly slot: number;
  /** Ends in a row. */
  readonly failures: number;
  readonly retryInMs: number;
}

export interface HealthReport {
  readonly healthy: boolean;
  /** Why not. */
  readonly message?: string;
}

/** The certificate of an endpoint. */
export interface TlsView {
  readonly expiresAtMs: number;
  /** The files as they are now could be used, and are. */
  readonly isCurrent: boolean;
}

export interface EndpointView {
  readonly name: string;
  readonly transport: "unix" | "tcp" | "abstract";
  /** What was bound, as people write it: `/run/app.sock`, `@name`, `127.0.0.1:8000`, `[::1]:8000`. */
  readonly address: string;
  /** Published, and the file at its path is ours. Always true for an endpoint without a file once it accepts. */
  readonly up: boolean;
  /** Why it is not up. */
  readonly problem?: string;
  /** All that was ever counted, the dead workers' share included. */
  readonly counters: EndpointCounters;
  /** The kernel's own count of accepted connections and queue depth; undefined where it cannot tell. */
  readonly kernel: { readonly accepted: number; readonly queued: number } | undefined;
  /** Absent where the endpoint does not speak TLS. */
  readonly tls?: TlsView;
}

/** What probes are judged by: the part of a snapshot for which nothing has to be counted. */
export interface Standing {
  readonly phase: Phase;
  /** The endpoints have been published once. */
  readonly hasStarted: boolean;
  readonly minReady: number;
  readonly endpoints: readonly Pick<EndpointView, "name" | "address" | "up" | "problem">[];
  readonly workers: readonly Pick<WorkerView, "state" | "silentForMs" | "health">[];
  /** Worker slots that should be filled. */
  readonly workersWanted: number;
  /** Slots that wait before they are filled again. */
  readonly backoffs: readonly BackoffView[];
  /** Silence after which a ready worker does not count as accepting. */
  readonly silentAfterMs: number;
  /** Replacing dead workers has failed for too long: only a restart of the process may help. */
  readonly isStuck: boolean;
}

/** All that probes, metrics and the status page may know: immutable, taken at one instant. */
export interface Snapshot extends Standing {
  readonly takenAtMs: number;
  readonly version: string;
  /** When the process started. */
  readonly startedAtMs: number;
  /** When the drain began, or was announced. */
  readonly drainStartedAtMs: number | undefined;
  /** When the drain cuts what is left. */
  readonly drainDeadlineAtMs: number | undefined;
  /** The signal that announces the drain; undefined where none is taken. */
  readonly drainSignal: NodeJS.Signals | undefined;
  readonly endpoints: readonly EndpointView[];
  readonly workers: readonly WorkerView[];
  readonly workerRestarts: Readonly<Record<RestartReason, number>>;
  /** Workers that did not answer the last request for a report in time. */
  readonly workersMissing: number;
  readonly staleSocketsRemoved: number;
  readonly socketsLost: number;
  /** Connections cut because the grace period was over. */
  readonly forcedCloses: number;
  /** The supervisor itself. */
  readonly process: ProcessStats;
}
