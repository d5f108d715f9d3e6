import { escapeHex, FIELD_LIMITS, fit } from "./access-text.ts";
import type { AccessEntry, AccessFormat } from "./access-entry.ts";
import { droppedJson } from "./json-format.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Writes Apache's combined format, in UTC; what is missing is `-`. */
export function createCombinedFormat(): AccessFormat {
  let stampSecond = -1;
  let stamp = "";

  return {
    line(entry) {
      const second = Math.trunc(entry.endedAtMs / 1000);
      if (second !== stampSecond) {
        stampSecond = second;
        stamp = formatStamp(new Date(entry.endedAtMs));
      }
      return (
        `${fit(entry.client, FIELD_LIMITS.client, escapeHex)} - - [${stamp}] ` +
        `"${formatRequest(entry)}" ${entry.status} ${entry.responseBytes} ` +
        `"${fit(entry.referer ?? "-", FIELD_LIMITS.referer, escapeHex)}" ` +
        `"${fit(entry.userAgent ?? "-", FIELD_LIMITS.userAgent, escapeHex)}"\n`
      );
    },
    // It is no request, so it goes with the program's other lines: as JSON.
    dropped: droppedJson,
  };
}

function formatRequest({ method, target, httpVersion }: AccessEntry): string {
  if (method === undefined) return "-";
  const what = fit(target ?? "-", FIELD_LIMITS.target, escapeHex);
  return `${fit(method, FIELD_LIMITS.method, escapeHex)} ${what} HTTP/${escapeHex(httpVersion)}`;
}

/** `22/Nov/2026:14:20:05 +0000` */
function formatStamp(date: Date): string {
  const time = date.toISOString().slice(11, 19);
  const day = String(date.getUTCDate()).padStart(2, "0");
  return `${day}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${time} +0000`;
}
