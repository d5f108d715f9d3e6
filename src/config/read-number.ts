import type { OutriggerError } from "../errors.ts";
import { choose, type Layer } from "./layers.ts";
import { OPTIONS } from "./options.ts";
import { ValueError } from "./value-error.ts";

/** Options that are read as numbers. */
export type NumberName =
  | "min-ready"
  | "max-requests"
  | "max-lifetime"
  | "max-rss"
  | "start-timeout"
  | "worker-timeout"
  | "keep-alive-timeout"
  | "headers-timeout"
  | "request-timeout"
  | "websocket-ping-interval"
  | "drain-delay"
  | "grace-period";

/** What an option comes to, or else the fallback. */
export function readNumber(layers: readonly Layer[], name: NumberName, fallback: number): number {
  return choose(layers, name)?.value ?? fallback;
}

/** Refuses a number that is well-formed, but does not fit the others. */
export function refuseNumber(
  layers: readonly Layer[],
  name: NumberName,
  reason: string,
): OutriggerError {
  const layer = layers.find(({ values }) => values.has(name));
  const text = layer?.values.get(name)?.at(-1) ?? String(OPTIONS[name].default);
  return new ValueError(text, reason).at(layer?.describe(name, text) ?? `${name} ${text}`);
}
