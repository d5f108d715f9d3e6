import { EndpointCounters } from "../../src/counters.ts";
import {
  noRestarts,
  type EndpointView,
  type ProcessStats,
  type Snapshot,
  type WorkerView,
} from "../../src/snapshot.ts";

/** A program that is ready: one Unix endpoint, two ready workers. */
export function snapshotFixture(overrides: Partial<Snapshot> = {}): Snapshot {
  return {
    takenAtMs: 1_700_000_060_000,
    version: "1.2.3",
    phase: "ready",
    startedAtMs: 1_700_000_000_000,
    drainStartedAtMs: undefined,
    drainDeadlineAtMs: undefined,
    drainSignal: undefined,
    hasStarted: true,
    minReady: 1,
    endpoints: [endpointFixture()],
    workers: [workerFixture({ slot: 0, pid: 100 }), workerFixture({ slot: 1, pid: 101 })],
    workersWanted: 2,
    backoffs: [],
    silentAfterMs: 10_000,
    isStuck: false,
    workerRestarts: noRestarts(),
    workersMissing: 0,
    staleSocketsRemoved: 0,
    socketsLost: 0,
    forcedCloses: 0,
    process: processFixture(),
    ...overrides,
  };
}

export function endpointFixture(overrides: Partial<EndpointView> = {}): EndpointView {
  return {
    name: "app",
    transport: "unix",
    address: "/run/app.sock",
    up: true,
    counters: new EndpointCounters(),
    kernel: { accepted: 0, queued: 0 },
    ...overrides,
  };
}

export function workerFixture(overrides: Partial<WorkerView> = {}): WorkerView {
  return {
    slot: 0,
    pid: 100,
    state: "ready",
    silentForMs: 0,
    connections: 0,
    requestsInFlight: 0,
    health: undefined,
    process: processFixture(),
    ...overrides,
  };
}

export function processFixture(overrides: Partial<ProcessStats> = {}): ProcessStats {
  return {
    pid: 100,
    startTimeSeconds: 1_700_000_000,
    cpuUserSeconds: 1.5,
    cpuSystemSeconds: 0.25,
    residentBytes: 50_000_000,
    heapTotalBytes: 20_000_000,
    heapUsedBytes: 10_000_000,
    heapLimitBytes: 4_000_000_000,
    externalBytes: 1_000_000,
    eventLoopLagSeconds: { min: 0.01, mean: 0.011, max: 0.02, p50: 0.0105, p99: 0.015 },
    ...overrides,
  };
}
