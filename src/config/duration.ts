import { ValueError } from "./value-error.ts";

const UNITS_MS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
/** Beyond this a timer of Node fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Words for what `parseDuration` takes. */
export const DURATION_EXPECTED = "expected a duration such as 30s, 500ms, 2m or 1h";

/** Reads `30s`, `500ms`, `1.5m`, `1h` or `0` as milliseconds. */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (match === null) throw new ValueError(text, explain(text));
  const milliseconds = Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS];
  const whole = Math.round(milliseconds);
  if (Math.abs(milliseconds - whole) > 1e-6) {
    throw new ValueError(text, "expected a whole number of milliseconds");
  }
  if (whole > LONGEST_MS) throw new ValueError(text, "expected a duration of at most 596h");
  return whole;
}

/** Writes milliseconds in the largest unit that divides them; the inverse of `parseDuration`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0";
  const unit = Object.entries(UNITS_MS).find(([, length]) => milliseconds % length === 0);
  return unit === undefined ? `${milliseconds}ms` : `${milliseconds / unit[1]}${unit[0]}`;
}

function explain(text: string): string {
  return /^\d+$/.test(text) ? `${DURATION_EXPECTED}: did you mean ${text}s` : DURATION_EXPECTED;
}
