import { hostname } from "node:os";
import { CLOSE_REASONS, REJECT_REASONS } from "../counters.ts";
import { DURATION_BOUNDS_SECONDS, type DurationSeries } from "../request-durations.ts";
import type { EndpointView, Snapshot, WorkerView } from "../snapshot.ts";
import { openConnections } from "./endpoint-families.ts";
import { judge } from "./health.ts";
import type { EndpointBody, StatusBody, WorkerBody } from "./status-body.ts";

/** Describes a snapshot for people and scripts: the body of `/status`, ready for JSON. */
export function describeStatus(snapshot: Snapshot): StatusBody {
  const { passed, checks } = judge("readyz", snapshot);
  return {
    version: snapshot.version,
    node: process.version,
    host: hostname(),
    phase: snapshot.phase,
    ready: passed,
    not_ready_because: checks.flatMap((check) => (check.outcome === "failed" ? check.reason : [])),
    started_at: asTime(snapshot.startedAtMs),
    uptime_seconds: Math.round((snapshot.takenAtMs - snapshot.startedAtMs) / 1000),
    taken_at: asTime(snapshot.takenAtMs),
    drain_started_at: asTimeIf(snapshot.drainStartedAtMs),
    drain_deadline_at: asTimeIf(snapshot.drainDeadlineAtMs),
    endpoints: snapshot.endpoints.map(describeEndpoint),
    workers: {
      wanted: snapshot.workersWanted,
      min_ready: snapshot.minReady,
      stuck: snapshot.isStuck,
      backoffs: snapshot.backoffs.map(({ slot, failures, retryInMs }) => ({
        slot,
        failures,
        retry_in_seconds: Math.ceil(retryInMs / 1000),
      })),
      missing: snapshot.workersMissing,
      restarts: snapshot.workerRestarts,
      slots: snapshot.workers.map((worker) => describeWorker(worker, snapshot.takenAtMs)),
    },
    sockets: { stale_removed: snapshot.staleSocketsRemoved, lost: snapshot.socketsLost },
    forced_closes: snapshot.forcedCloses,
    supervisor: {
      pid: snapshot.process.pid,
      resident_bytes: snapshot.process.residentBytes,
      drain_signal: snapshot.drainSignal,
    },
  };
}

function describeEndpoint(endpoint: EndpointView): EndpointBody {
  const { name, transport, address, up, problem, counters, kernel, tls } = endpoint;
  return {
    name,
    transport,
    address,
    up,
    problem,
    tls: tls && { expires_at: asTime(tls.expiresAtMs), current: tls.isCurrent },
    connections: {
      open: openConnections(endpoint),
      queued: kernel?.queued,
      accepted: counters.accepted,
      closed: tally(CLOSE_REASONS, (reason) => counters.closed(reason)),
      rejected: tally(REJECT_REASONS, (reason) => counters.rejected(reason)),
    },
    requests: {
      in_flight: Math.max(counters.inFlight, 0),
      ...describeEnded(counters.durations()),
    },
  };
}

/** Adds the series of all methods up. */
function describeEnded(
  all: readonly DurationSeries[],
): Omit<EndpointBody["requests"], "in_flight"> {
  const byStatus: Record<string, number> = {};
  const buckets = [...DURATION_BOUNDS_SECONDS, Number.POSITIVE_INFINITY].map((_, index) =>
    all.reduce((sum, series) => sum + (series.buckets[index] ?? 0), 0),
  );
  for (const { status, count } of all) byStatus[status] = (byStatus[status] ?? 0) + count;
  return {
    ended: all.reduce((sum, { count }) => sum + count, 0),
    by_status: byStatus,
    duration: {
      bounds_seconds: DURATION_BOUNDS_SECONDS,
      buckets,
      sum_seconds: all.reduce((sum, { sumSeconds }) => sum + sumSeconds, 0),
    },
  };
}

function describeWorker(
  { slot, pid, state, silentForMs, connections, requestsInFlight, health, ...worker }: WorkerView,
  nowMs: number,
): WorkerBody {
  const stats = worker.process;
  return {
    slot,
    pid,
    state,
    silent_seconds: Math.round(silentForMs / 1000),
    connections,
    requests_in_flight: requestsInFlight,
    healthy: health?.healthy,
    health_message: health?.message,
    uptime_seconds:
      stats === undefined ? undefined : Math.round(nowMs / 1000 - stats.startTimeSeconds),
    resident_bytes: stats?.residentBytes,
    // Without a sample it is 0, which no delay is.
    event_loop_delay_seconds: stats?.eventLoopLagSeconds.p99 || undefined,
  };
}

function tally<Name extends string>(
  names: readonly Name[],
  count: (name: Name) => number,
): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, count(name)]));
}

function asTime(ms: number): string {
  return new Date(ms).toISOString();
}

function asTimeIf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : asTime(ms);
}
