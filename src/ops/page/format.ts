import type { Quantile } from "./quantile.ts";

/** What stands where nothing is known. */
export const UNKNOWN = "–";
// Neither of them ends a line.
const NARROW = "\u202f";
const WIDE = "\u00a0";
const MEBIBYTE = 2 ** 20;

/** A whole number in groups of three digits. */
export function formatCount(count: number | undefined): string {
  return count === undefined ? UNKNOWN : count.toLocaleString("en");
}

/** A rate per second; the less there is, the more digits it gets. */
export function formatRate(perSecond: number | undefined): string {
  if (perSecond === undefined) return UNKNOWN;
  if (perSecond === 0) return "0";
  if (perSecond < 0.05) return "< 0.1";
  return perSecond >= 100 ? formatCount(Math.round(perSecond)) : perSecond.toFixed(1);
}

/** A time below a minute or so, in milliseconds or seconds. */
export function formatLatency(seconds: number | undefined): string {
  if (seconds === undefined) return UNKNOWN;
  const ms = seconds * 1000;
  if (ms < 0.05) return `0${NARROW}ms`;
  // Rounded first: 999.6 ms is a second.
  if (Math.round(ms) >= 1000) return `${seconds.toFixed(seconds < 10 ? 2 : 1)}${NARROW}s`;
  return `${ms.toFixed(ms < 9.95 ? 1 : 0)}${NARROW}ms`;
}

export function formatQuantile(quantile: Quantile | undefined): string {
  if (quantile === undefined) return UNKNOWN;
  const { kind, seconds } = quantile;
  const signs = { about: "", below: "<", above: ">" };
  // A bound is a round number: 5 ms, not 5.0 ms.
  const text = formatLatency(seconds).replace(/\.0+(?=\D)/, "");
  return kind === "about" ? formatLatency(seconds) : `${signs[kind]}${NARROW}${text}`;
}

/** A share as a percentage; a share that is not 0 is never shown as 0. */
export function formatShare(share: number | undefined): string {
  if (share === undefined) return UNKNOWN;
  const percent = share * 100;
  if (percent === 0) return `0${NARROW}%`;
  if (percent < 0.1) return `<${NARROW}0.1${NARROW}%`;
  return `${percent.toFixed(percent < 10 ? 1 : 0)}${NARROW}%`;
}

/** A span of time in its two largest units. */
export function formatSpan(seconds: number | undefined): string {
  if (seconds === undefined) return UNKNOWN;
  const whole = Math.max(Math.round(seconds), 0);
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3_600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first === -1 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown.map(([count, unit]) => `${count}${NARROW}${unit}`).join(WIDE);
}

export function formatMemory(bytes: number | undefined): string {
  return bytes === undefined ? UNKNOWN : `${(bytes / MEBIBYTE).toFixed(0)}${NARROW}MiB`;
}

/** "1 worker", "2 workers". */
export function formatNumberOf(count: number, singular: string): string {
  return `${formatCount(count)} ${singular}${count === 1 ? "" : "s"}`;
}

/** The name of a reason as words: `max_requests` becomes "max requests". */
export function formatReason(name: string): string {
  return name.replaceAll("_", " ");
}
