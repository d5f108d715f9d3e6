/** Writes the JSON of `/status` as tables for people; what a program of another version lacks is `-`. */
export function formatStatus(status: unknown): string {
  const endpoints = listAt(status, "endpoints");
  const workers = listAt(status, "workers.slots");
  return [
    formatHead(status),
    formatTable(ENDPOINT_COLUMNS, endpoints),
    formatTable(WORKER_COLUMNS, workers),
  ].join("\n");
}

interface Column {
  readonly title: string;
  readonly read: (row: unknown) => string;
  /** Numbers stand to the right ("left"). */
  readonly align?: "right";
}

const ENDPOINT_COLUMNS: readonly Column[] = [
  { title: "ENDPOINT", read: (row) => textAt(row, "name") },
  { title: "ADDRESS", read: (row) => textAt(row, "address") },
  { title: "UP", read: (row) => (at(row, "up") === true ? "yes" : textAt(row, "problem")) },
  number("CONNECTIONS", "connections.open"),
  number("QUEUED", "connections.queued"),
  number("IN FLIGHT", "requests.in_flight"),
  number("REQUESTS", "requests.ended"),
];

const WORKER_COLUMNS: readonly Column[] = [
  number("WORKER", "slot"),
  number("PID", "pid"),
  { title: "STATE", read: formatState },
  number("CONNECTIONS", "connections"),
  number("IN FLIGHT", "requests_in_flight"),
  { title: "MEMORY", align: "right", read: (row) => formatMemory(at(row, "resident_bytes")) },
  { title: "AGE", align: "right", read: (row) => formatAge(at(row, "uptime_seconds")) },
];

function number(title: string, path: string): Column {
  return { title, align: "right", read: (row) => textAt(row, path) };
}

function formatHead(status: unknown): string {
  const phase = textAt(status, "phase");
  const isReady = at(status, "ready") === true;
  const readiness = phase === "ready" && !isReady ? "ready, but /readyz fails" : phase;
  const age = formatAge(at(status, "uptime_seconds"));
  const pid = textAt(status, "supervisor.pid");
  return `outrigger ${textAt(status, "version")}, pid ${pid}, up ${age}: ${readiness}\n`;
}

function formatState(worker: unknown): string {
  const state = textAt(worker, "state");
  if (at(worker, "healthy") !== false) return state;
  const message = at(worker, "health_message");
  return typeof message === "string" ? `${state}, unhealthy: ${message}` : `${state}, unhealthy`;
}

function formatTable(columns: readonly Column[], rows: readonly unknown[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ read }) => read(row))),
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

/** The value at a path such as `connections.open`; undefined when there is none. */
function at(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, key) => {
    const isObject = typeof inner === "object" && inner !== null;
    return isObject ? Reflect.get(inner, key) : undefined;
  }, value);
}

function textAt(value: unknown, path: string): string {
  const found = at(value, path);
  return typeof found === "string" || typeof found === "number" ? String(found) : "-";
}

function listAt(value: unknown, path: string): readonly unknown[] {
  const found = at(value, path);
  return Array.isArray(found) ? found : [];
}
