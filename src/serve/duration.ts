import { parseDuration } from "../config/duration.ts";

/** Milliseconds, or a string such as `30s`. */
export type Duration = number | string;

/**
 * Reads a duration.
 *
 * @throws `ERR_CONFIG` when a string is none.
 */
export function toMilliseconds(duration: Duration): number {
  return typeof duration === "number" ? duration : parseDuration(duration);
}
