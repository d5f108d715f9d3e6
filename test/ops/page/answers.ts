import type { EndpointBody, StatusBody, WorkerBody } from "../../../src/ops/status-body.ts";

export interface AnswerOptions {
  /** When it was given, in seconds (0). */
  readonly at?: number;
  /** Requests per bucket of the one endpoint, bounds 10 ms, 100 ms and 1 s (none). */
  readonly buckets?: readonly number[];
  readonly sumSeconds?: number;
  readonly failed?: number;
  readonly overrides?: Partial<StatusBody>;
}

/** An answer of `/status`: ready, one endpoint named app. */
export function answer({
  at = 0,
  buckets = [0, 0, 0, 0],
  sumSeconds = 0,
  failed = 0,
  overrides = {},
}: AnswerOptions = {}): StatusBody {
  return {
    version: "1.2.3",
    node: "v26.10.0",
    host: "pod-1",
    phase: "ready",
    ready: true,
    not_ready_because: [],
    started_at: timeAt(-60),
    uptime_seconds: 60 + at,
    taken_at: timeAt(at),
    endpoints: [endpoint("app", { buckets, sumSeconds, failed })],
    workers: {
      wanted: 1,
      min_ready: 1,
      stuck: false,
      backoffs: [],
      missing: 0,
      restarts: {},
      slots: [worker()],
    },
    sockets: { stale_removed: 0, lost: 0 },
    forced_closes: 0,
    supervisor: { pid: 7, resident_bytes: 50_000_000 },
    ...overrides,
  };
}

export function endpoint(
  name: string,
  { buckets = [0, 0, 0, 0], sumSeconds = 0, failed = 0 }: Omit<AnswerOptions, "at"> = {},
): EndpointBody {
  return {
    name,
    transport: "unix",
    address: `/run/${name}.sock`,
    up: true,
    connections: { open: 3, queued: 1, accepted: 10, closed: {}, rejected: {} },
    requests: {
      in_flight: 2,
      ended: buckets.reduce((sum, count) => sum + count, 0),
      by_status: { "5xx": failed },
      duration: { bounds_seconds: [0.01, 0.1, 1], buckets, sum_seconds: sumSeconds },
    },
  };
}

export function worker(overrides: Partial<WorkerBody> = {}): WorkerBody {
  return {
    slot: 0,
    pid: 100,
    state: "ready",
    silent_seconds: 0,
    connections: 3,
    requests_in_flight: 2,
    ...overrides,
  };
}

/** So many seconds after some instant. */
export function timeAt(seconds: number): string {
  return new Date(1_700_000_000_000 + seconds * 1000).toISOString();
}
