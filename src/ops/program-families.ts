import { PHASES } from "../lifecycle/phase.ts";
import { RESTART_REASONS, WORKER_STATES, type WorkerView } from "../snapshot.ts";
import { sample, single, type Family } from "./family.ts";

/** Metrics of the program as a whole. */
export const PROGRAM_FAMILIES: readonly Family[] = [
  {
    name: "outrigger_build_info",
    type: "gauge",
    help: "Version of outrigger and of the Node.js that runs it; always 1.",
    read: ({ version }) => [sample(1, { version, node_version: process.version })],
  },
  {
    name: "outrigger_state",
    type: "gauge",
    help: "Phase of the program: 1 for the one it is in, 0 for the others.",
    read: ({ phase }) => PHASES.map((state) => sample(state === phase ? 1 : 0, { state })),
  },
  {
    name: "outrigger_workers",
    type: "gauge",
    help: "Worker processes, by state; backoff: places that wait to be filled after repeated crashes.",
    read: ({ workers, backoffs }) => [
      ...WORKER_STATES.map((state) =>
        sample(workers.filter((worker) => worker.state === state).length, { state }),
      ),
      sample(backoffs.length, { state: "backoff" }),
    ],
  },
  perSlot(
    {
      name: "outrigger_worker_connections",
      type: "gauge",
      help: "Connections open in a worker, on all endpoints.",
    },
    ({ connections }) => connections,
  ),
  perSlot(
    {
      name: "outrigger_worker_requests_in_flight",
      type: "gauge",
      help: "Requests a worker was given and has not ended yet.",
    },
    ({ requestsInFlight }) => requestsInFlight,
  ),
  {
    name: "outrigger_worker_restarts_total",
    type: "counter",
    help: "Workers that were replaced, by reason.",
    read: ({ workerRestarts }) =>
      RESTART_REASONS.map((reason) => sample(workerRestarts[reason], { reason })),
  },
  single(
    {
      name: "outrigger_metrics_workers_missing",
      type: "gauge",
      help: "Workers whose last report is older than this scrape because they did not answer in time.",
    },
    (snapshot) => snapshot.workersMissing,
  ),
  single(
    {
      name: "outrigger_socket_stale_removed_total",
      type: "counter",
      help: "Dead socket files that were found in our place and replaced.",
    },
    (snapshot) => snapshot.staleSocketsRemoved,
  ),
  single(
    {
      name: "outrigger_socket_lost_total",
      type: "counter",
      help: "Times a published socket file was deleted or replaced by somebody else.",
    },
    (snapshot) => snapshot.socketsLost,
  ),
  single(
    {
      name: "outrigger_drain_forced_close_total",
      type: "counter",
      help: "Connections cut because the grace period was over.",
    },
    (snapshot) => snapshot.forcedCloses,
  ),
  {
    name: "outrigger_drain_started_timestamp_seconds",
    type: "gauge",
    help: "When the drain began, since the Unix epoch; absent before.",
    read: ({ drainStartedAtMs }) =>
      drainStartedAtMs === undefined ? [] : [sample(drainStartedAtMs / 1000)],
  },
];

/** A family with a series a slot; of two workers that relieve each other it is the sum. */
function perSlot(about: Omit<Family, "read">, read: (worker: WorkerView) => number): Family {
  return {
    ...about,
    read: ({ workers }) => {
      const slots = new Map<number, number>();
      for (const worker of workers) {
        slots.set(worker.slot, (slots.get(worker.slot) ?? 0) + read(worker));
      }
      return [...slots].map(([slot, value]) => sample(value, { worker: String(slot) }));
    },
  };
}
