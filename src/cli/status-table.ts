import { valueAt } from "./value-at.ts";

/** Writes the JSON of `/status` as tables for people; what a program of another version lacks is `-`. */
export function formatStatus(status: unknown): string {
  const endpoints = listAt(status, "endpoints");
  const workers = [
    ...listAt(status, "workers.slots"),
    ...listAt(status, "workers.backoffs").map(describeBackoff),
  ];
  return [
    formatHead(status),
    formatTable(ENDPOINT_COLUMNS, endpoints),
    formatTable(WORKER_COLUMNS, workers),
  ].join("\n");
}

/** An app may say anything of its health; a terminal would obey some of it. */
const CONTROL_CHARACTERS = /\p{Cc}+/gu;

interface Column {
  readonly title: string;
  readonly read: (row: unknown) => string;
  /** Numbers stand to the right ("left"). */
  readonly align?: "right";
}

const ENDPOINT_COLUMNS: readonly Column[] = [
  { title: "ENDPOINT", read: (row) => textAt(row, "name") },
  number("CONNECTIONS", "connections.open"),
  number("QUEUE", "connections.queued"),
  number("IN FLIGHT", "requests.in_flight"),
  number("REQUESTS", "requests.ended"),
  // What may be long stands last, where a narrow terminal can cut it.
  { title: "ADDRESS", read: formatAddress },
];

const WORKER_COLUMNS: readonly Column[] = [
  number("WORKER", "slot"),
  number("PID", "pid"),
  number("CONNECTIONS", "connections"),
  number("IN FLIGHT", "requests_in_flight"),
  { title: "MEMORY", align: "right", read: (row) => formatMemory(valueAt(row, "resident_bytes")) },
  { title: "AGE", align: "right", read: (row) => formatAge(valueAt(row, "uptime_seconds")) },
  { title: "STATE", read: formatState },
];

function number(title: string, path: string): Column {
  return { title, align: "right", read: (row) => textAt(row, path) };
}

function formatHead(status: unknown): string {
  const age = formatAge(valueAt(status, "uptime_seconds"));
  const pid = textAt(status, "supervisor.pid");
  return `outrigger ${textAt(status, "version")}, pid ${pid}, up ${age}: ${formatPhase(status)}\n`;
}

function formatPhase(status: unknown): string {
  const phase = textAt(status, "phase");
  const isReady = valueAt(status, "ready") === true;
  if (phase === "ready") return isReady ? phase : "ready, but /readyz fails";
  const startedMs = Date.parse(textAt(status, "drain_started_at"));
  const drainingMs = Date.parse(textAt(status, "taken_at")) - startedMs;
  if (Number.isNaN(drainingMs)) return phase;
  const age = formatAge(drainingMs / 1_000);
  return phase === "draining" ? `draining for ${age}` : `${phase}, drain announced ${age} ago`;
}

function formatAddress(endpoint: unknown): string {
  const address = textAt(endpoint, "address");
  return valueAt(endpoint, "up") === true
    ? address
    : `${address}, not up: ${textAt(endpoint, "problem")}`;
}

/** A slot that waits to be filled, told as the worker it lacks. */
function describeBackoff(backoff: unknown): object {
  const [failures, wait] = [textAt(backoff, "failures"), textAt(backoff, "retry_in_seconds")];
  const state = `ended ${failures} times in a row, tried again in ${wait}s`;
  return { slot: valueAt(backoff, "slot"), state };
}

function formatState(worker: unknown): string {
  const state = textAt(worker, "state");
  if (valueAt(worker, "healthy") !== false) return state;
  const message = valueAt(worker, "health_message");
  return typeof message === "string" ? `${state}, unhealthy: ${message}` : `${state}, unhealthy`;
}

function formatTable(columns: readonly Column[], rows: readonly unknown[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ read }) => read(row).replace(CONTROL_CHARACTERS, " "))),
  ];
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((row) => row[index]?.length ?? 0)),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return columns[index]?.align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function formatMemory(bytes: unknown): string {
  return typeof bytes === "number" ? `${(bytes / 2 ** 20).toFixed(1)}Mi` : "-";
}

/** In the two largest units. */
function formatAge(seconds: unknown): string {
  if (typeof seconds !== "number") return "-";
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [Math.floor(seconds) % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first === -1 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown.map(([count, unit]) => `${count}${unit}`).join("");
}

function textAt(value: unknown, path: string): string {
  const found = valueAt(value, path);
  return typeof found === "string" || typeof found === "number" ? String(found) : "-";
}

function listAt(value: unknown, path: string): readonly unknown[] {
  const found = valueAt(value, path);
  return Array.isArray(found) ? found : [];
}
