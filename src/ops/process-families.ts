import type { ProcessStats, Snapshot } from "../snapshot.ts";
import { sample, type Family } from "./family.ts";

/** prom-client's default metrics, name and help for name and help, with a series a process. */
export const PROCESS_FAMILIES: readonly Family[] = [
  perProcess("counter", "process_cpu_user_seconds_total", {
    help: "Total user CPU time spent in seconds.",
    read: (stats) => stats.cpuUserSeconds,
  }),
  perProcess("counter", "process_cpu_system_seconds_total", {
    help: "Total system CPU time spent in seconds.",
    read: (stats) => stats.cpuSystemSeconds,
  }),
  perProcess("counter", "process_cpu_seconds_total", {
    help: "Total user and system CPU time spent in seconds.",
    read: (stats) => stats.cpuUserSeconds + stats.cpuSystemSeconds,
  }),
  perProcess("gauge", "process_start_time_seconds", {
    help: "Start time of the process since unix epoch in seconds.",
    read: (stats) => stats.startTimeSeconds,
  }),
  perProcess("gauge", "process_resident_memory_bytes", {
    help: "Resident memory size in bytes.",
    read: (stats) => stats.residentBytes,
  }),
  perProcess("gauge", "nodejs_eventloop_lag_min_seconds", {
    help: "The minimum recorded event loop delay.",
    read: (stats) => stats.eventLoopLagSeconds.min,
  }),
  perProcess("gauge", "nodejs_eventloop_lag_max_seconds", {
    help: "The maximum recorded event loop delay.",
    read: (stats) => stats.eventLoopLagSeconds.max,
  }),
  perProcess("gauge", "nodejs_eventloop_lag_mean_seconds", {
    help: "The mean of the recorded event loop delays.",
    read: (stats) => stats.eventLoopLagSeconds.mean,
  }),
  perProcess("gauge", "nodejs_eventloop_lag_p50_seconds", {
    help: "The 50th percentile of the recorded event loop delays.",
    read: (stats) => stats.eventLoopLagSeconds.p50,
  }),
  perProcess("gauge", "nodejs_eventloop_lag_p99_seconds", {
    help: "The 99th percentile of the recorded event loop delays.",
    read: (stats) => stats.eventLoopLagSeconds.p99,
  }),
  perProcess("gauge", "nodejs_heap_size_total_bytes", {
    help: "Process heap size from Node.js in bytes.",
    read: (stats) => stats.heapTotalBytes,
  }),
  perProcess("gauge", "nodejs_heap_size_used_bytes", {
    help: "Process heap size used from Node.js in bytes.",
    read: (stats) => stats.heapUsedBytes,
  }),
  perProcess("gauge", "nodejs_external_memory_bytes", {
    help: "Node.js external memory size in bytes.",
    read: (stats) => stats.externalBytes,
  }),
];

interface ProcessReading {
  readonly help: string;
  readonly read: (stats: ProcessStats) => number;
}

function perProcess(
  type: "gauge" | "counter",
  name: string,
  { help, read }: ProcessReading,
): Family {
  return {
    name,
    type,
    help,
    read: (snapshot) =>
      [...processes(snapshot)].map(([worker, stats]) => sample(read(stats), { worker })),
  };
}

/** While a worker is replaced two of them fill one slot; a series twice would spoil the scrape, so the younger counts. */
function processes(snapshot: Snapshot): Map<string, ProcessStats> {
  const byLabel = new Map([["supervisor", snapshot.process]]);
  for (const { slot, process: stats, state } of snapshot.workers) {
    if (stats === undefined || state === "exited") continue;
    const label = String(slot);
    const other = byLabel.get(label);
    if (other === undefined || other.startTimeSeconds <= stats.startTimeSeconds)
      byLabel.set(label, stats);
  }
  return byLabel;
}
