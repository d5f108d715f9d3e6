import type { EndpointBody, StatusBody } from "../status-body.ts";

/** What an endpoint did between two answers of the server. */
export interface Traffic {
  readonly seconds: number;
  readonly requests: number;
  /** Requests answered with 5xx. */
  readonly failed: number;
  readonly durations: Durations;
}

/** A histogram of requests that ended in some time. */
export interface Durations {
  readonly boundsSeconds: readonly number[];
  /** Requests per bucket, not cumulative; the last one is above every bound. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

/**
 * The difference of two answers, for one endpoint or for all; undefined where it would mean nothing: the
 * server was started anew in between, its clock went back, or the endpoint is new.
 */
export function trafficBetween(
  older: StatusBody,
  newer: StatusBody,
  endpoint?: string,
): Traffic | undefined {
  const seconds = (Date.parse(newer.taken_at) - Date.parse(older.taken_at)) / 1000;
  if (!isSameRun(older, newer) || !(seconds > 0)) return undefined;
  const [before, after] = [addUp(older, endpoint), addUp(newer, endpoint)];
  if (before === undefined || after === undefined) return undefined;
  const buckets = after.buckets.map((count, index) => count - (before.buckets[index] ?? 0));
  const failed = after.failed - before.failed;
  // No counter falls while a server runs; if one does, nothing else can be trusted either.
  if (failed < 0 || buckets.some((count) => count < 0)) return undefined;
  return {
    seconds,
    requests: buckets.reduce((sum, count) => sum + count, 0),
    failed,
    durations: {
      boundsSeconds: after.boundsSeconds,
      buckets,
      sumSeconds: Math.max(after.sumSeconds - before.sumSeconds, 0),
    },
  };
}

/** Whether two answers came from the same process: only then can their counters be compared. */
export function isSameRun(one: StatusBody, other: StatusBody): boolean {
  return one.started_at === other.started_at && one.supervisor.pid === other.supervisor.pid;
}

type Totals = Durations & { readonly failed: number };

function addUp({ endpoints }: StatusBody, name: string | undefined): Totals | undefined {
  const chosen = endpoints.filter((endpoint) => name === undefined || endpoint.name === name);
  const [first, ...others] = chosen.map(readTotals);
  return others.reduce(
    (sum, { buckets, sumSeconds, failed }) =>
      sum && {
        ...sum,
        buckets: sum.buckets.map((count, index) => count + (buckets[index] ?? 0)),
        sumSeconds: sum.sumSeconds + sumSeconds,
        failed: sum.failed + failed,
      },
    first,
  );
}

function readTotals({ requests: { duration, by_status: byStatus } }: EndpointBody): Totals {
  return {
    boundsSeconds: duration.bounds_seconds,
    buckets: duration.buckets,
    sumSeconds: duration.sum_seconds,
    failed: byStatus["5xx"] ?? 0,
  };
}
