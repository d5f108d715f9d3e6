import type { BackoffBody, StatusBody, WorkerBody } from "../status-body.ts";
import { append, setText } from "./dom.ts";
import { formatCount, formatLatency, formatMemory, formatSpan, UNKNOWN } from "./format.ts";
import type { Column } from "./keyed-table.ts";
import type { Tone } from "./meaning.ts";

/** A process in a slot, or a slot that waits to be filled again. */
export type WorkerRow =
  | { readonly kind: "worker"; readonly worker: WorkerBody }
  | { readonly kind: "backoff"; readonly backoff: BackoffBody };

/** Reports come every second: this many missed are worth a word. */
const SILENT_SECONDS = 3;

export const WORKER_COLUMNS: readonly Column<WorkerRow>[] = [
  { title: "Worker", className: "words slot", create: createName },
  { title: "State", className: "words", create: createState },
  column("PID", ({ pid }) => (pid === undefined ? UNKNOWN : String(pid))),
  column("Connections", ({ connections }) => formatCount(connections)),
  column("In flight", (worker) => formatCount(worker.requests_in_flight)),
  column("Loop delay p99", (worker) => formatLatency(worker.event_loop_delay_seconds)),
  column("Memory", (worker) => formatMemory(worker.resident_bytes)),
  column("Age", (worker) => formatSpan(worker.uptime_seconds)),
];

/** The rows of a status, by slot; of two workers in one slot the older one comes first. */
export function workerRows({ slots, backoffs }: StatusBody["workers"]): WorkerRow[] {
  const rows: WorkerRow[] = [
    ...slots.map((worker): WorkerRow => ({ kind: "worker", worker })),
    ...backoffs.map((backoff): WorkerRow => ({ kind: "backoff", backoff })),
  ];
  return rows.toSorted((one, other) => slotOf(one) - slotOf(other));
}

/** What tells workers apart. */
export function keyOfWorker(row: WorkerRow): string {
  return row.kind === "worker" ? `${row.worker.slot}/${row.worker.pid}` : `${slotOf(row)}/backoff`;
}

/** The state of a worker in words, and how bad that is. */
export function describeState(row: WorkerRow): { readonly text: string; readonly tone: Tone } {
  if (row.kind === "backoff") {
    const { failures, retry_in_seconds: seconds } = row.backoff;
    const wait = `started again in ${formatSpan(seconds)}`;
    return { text: `crash loop: ended ${failures} times in a row, ${wait}`, tone: "bad" };
  }
  const { state, silent_seconds: silent, healthy, health_message: message } = row.worker;
  if (state === "ready" && silent >= SILENT_SECONDS)
    return { text: `ready, but silent for ${formatSpan(silent)}`, tone: "bad" };
  if (healthy === false) {
    const why = message === undefined ? "" : `: ${message}`;
    return { text: `${state}, app unhealthy${why}`, tone: "bad" };
  }
  if (state === "ready") return { text: state, tone: "good" };
  return { text: state, tone: state === "exited" ? "idle" : "busy" };
}

function slotOf(row: WorkerRow): number {
  return row.kind === "worker" ? row.worker.slot : row.backoff.slot;
}

function createName(cell: HTMLElement): (row: WorkerRow) => void {
  return (row) => setText(cell, String(slotOf(row)));
}

function createState(cell: HTMLElement): (row: WorkerRow) => void {
  const label = append(cell, "span", "state");
  return (row) => {
    const { text, tone } = describeState(row);
    setText(label, text);
    label.dataset["tone"] = tone;
  };
}

function column(title: string, read: (worker: WorkerBody) => string): Column<WorkerRow> {
  return {
    title,
    create: (cell) => (row) => setText(cell, row.kind === "worker" ? read(row.worker) : UNKNOWN),
  };
}
