import { CLOSE_REASONS, REJECT_REASONS } from "../counters.ts";
import type { EndpointView, Snapshot, WorkerView } from "../snapshot.ts";
import { openConnections } from "./endpoint-families.ts";
import { judge } from "./health.ts";

/** Describes a snapshot for people: the body of `/status`, ready for JSON. */
export function describeStatus(snapshot: Snapshot): object {
  return {
    version: snapshot.version,
    node: process.version,
    phase: snapshot.phase,
    ready: judge("readyz", snapshot).passed,
    started_at: asTime(snapshot.startedAtMs),
    uptime_seconds: Math.round((snapshot.takenAtMs - snapshot.startedAtMs) / 1000),
    taken_at: asTime(snapshot.takenAtMs),
    drain_started_at:
      snapshot.drainStartedAtMs === undefined ? undefined : asTime(snapshot.drainStartedAtMs),
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
    supervisor: { pid: snapshot.process.pid, resident_bytes: snapshot.process.residentBytes },
  };
}

function describeEndpoint(endpoint: EndpointView): object {
  const { name, transport, address, up, problem, counters, kernel } = endpoint;
  return {
    name,
    transport,
    address,
    up,
    problem,
    connections: {
      open: openConnections(endpoint),
      queued: kernel?.queued,
      accepted: counters.accepted,
      closed: tally(CLOSE_REASONS, (reason) => counters.closed(reason)),
      rejected: tally(REJECT_REASONS, (reason) => counters.rejected(reason)),
    },
    requests: {
      in_flight: Math.max(counters.inFlight, 0),
      ended: counters.durations().reduce((total, series) => total + series.count, 0),
    },
  };
}

function describeWorker(
  { slot, pid, state, connections, requestsInFlight, health, process: stats }: WorkerView,
  nowMs: number,
): object {
  return {
    slot,
    pid,
    state,
    connections,
    requests_in_flight: requestsInFlight,
    healthy: health?.healthy,
    health_message: health?.message,
    uptime_seconds:
      stats === undefined ? undefined : Math.round(nowMs / 1000 - stats.startTimeSeconds),
    resident_bytes: stats?.residentBytes,
  };
}

function tally<Name extends string>(names: readonly Name[], count: (name: Name) => number): object {
  return Object.fromEntries(names.map((name) => [name, count(name)]));
}

function asTime(ms: number): string {
  return new Date(ms).toISOString();
}
