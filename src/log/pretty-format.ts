import { escapeHex, FIELD_LIMITS, fit } from "./access-text.ts";
import type { AccessFormat } from "./access-entry.ts";

/** Writes lines for people at a terminal: `12:03:04.123 GET /x 200 68B 1.2ms app unix`. */
export function createPrettyFormat(): AccessFormat {
  return {
    line(entry) {
      const method = fit(entry.method ?? "-", FIELD_LIMITS.method, escapeHex);
      const target = fit(entry.target ?? "-", FIELD_LIMITS.target, escapeHex);
      const client = fit(entry.client, FIELD_LIMITS.client, escapeHex);
      const { durationSeconds, reason } = entry;
      const duration = durationSeconds === undefined ? "-" : (durationSeconds * 1000).toFixed(1);
      const status = reason === undefined ? entry.status : `${entry.status} (${reason})`;
      const result = `${status} ${entry.responseBytes}B ${duration}ms`;
      return `${formatTime(entry.endedAtMs)} ${method} ${target} ${result} ${escapeHex(entry.endpoint)} ${client}\n`;
    },
    dropped: (count, nowMs) => `${formatTime(nowMs)} access log lines dropped: ${count}\n`,
  };
}

/** Local time, as the other lines at a terminal have it. */
function formatTime(nowMs: number): string {
  const date = new Date(nowMs);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${parts.join(":")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
