import { METHODS } from "../request-durations.ts";
import { escapeJson, FIELD_LIMITS, fit } from "./access-text.ts";
import type { AccessEntry, AccessFormat } from "./access-entry.ts";

/** What almost every line holds need not be looked at again. */
const PLAIN_METHODS: ReadonlySet<string> = new Set(METHODS);

/**
 * Writes pino-shaped JSON by hand: at one line a request pino's own formatting costs five times as
 * much, and fields that need no escape are the rule.
 */
export function createJsonFormat(): AccessFormat {
  const endpoints = new Map<string, string>();
  let prefixMs = -1;
  let prefix = "";

  return {
    line(entry) {
      if (entry.endedAtMs !== prefixMs) {
        prefixMs = entry.endedAtMs;
        prefix = `{"level":30,"time":${prefixMs},"pid":${process.pid},"msg":"request","endpoint":"`;
      }
      return (
        prefix +
        labelOf(entry.endpoint) +
        '","client":"' +
        (entry.client === "unix" ? "unix" : fit(entry.client, FIELD_LIMITS.client, escapeJson)) +
        '"' +
        methodField(entry.method) +
        optional(',"path":"', entry.target, FIELD_LIMITS.target) +
        ',"status":' +
        entry.status +
        ',"bytes":' +
        entry.responseBytes +
        (entry.durationSeconds === undefined
          ? ""
          : ',"duration_ms":' + milliseconds(entry.durationSeconds)) +
        (entry.requestId === undefined ? "" : ',"request_id":"' + entry.requestId + '"') +
        (entry.trace === undefined
          ? ""
          : ',"trace_id":"' + entry.trace.traceId + '","span_id":"' + entry.trace.spanId + '"') +
        (entry.reason === undefined ? "" : ',"reason":"' + entry.reason + '"') +
        optional(',"referer":"', entry.referer, FIELD_LIMITS.referer) +
        optional(',"user_agent":"', entry.userAgent, FIELD_LIMITS.userAgent) +
        "}\n"
      );
    },
    dropped: droppedJson,
  };

  function labelOf(endpoint: string): string {
    let label = endpoints.get(endpoint);
    if (label === undefined) {
      label = escapeJson(endpoint);
      endpoints.set(endpoint, label);
    }
    return label;
  }
}

/** Writes the line about missing lines. */
export function droppedJson(count: number, nowMs: number): string {
  return `{"level":40,"time":${nowMs},"pid":${process.pid},"msg":"access log lines dropped","dropped":${count}}\n`;
}

/** Milliseconds with microseconds behind the point; cheaper put together from integers than printed as a double. */
export function milliseconds(seconds: number): string {
  const microseconds = Math.max(Math.round(seconds * 1e6), 0);
  const whole = Math.trunc(microseconds / 1000);
  const fraction = microseconds - whole * 1000;
  return whole + (fraction < 10 ? ".00" : fraction < 100 ? ".0" : ".") + fraction;
}

function methodField(method: string | undefined): string {
  if (method === undefined) return "";
  const isPlain = PLAIN_METHODS.has(method);
  return ',"method":"' + (isPlain ? method : fit(method, FIELD_LIMITS.method, escapeJson)) + '"';
}

function optional(key: string, value: AccessEntry["referer"], limit: number): string {
  return value === undefined ? "" : key + fit(value, limit, escapeJson) + '"';
}
