/** How far the two clocks may drift apart unseen. */
const COMPARE_INTERVAL_MS = 250;

/**
 * Turns a time of `performance.now()` into whole milliseconds since 1970. The request was timed
 * already, and asking the system for the date as well would cost every log line as much again.
 */
export function createWallTime(): (monotonicMs: number) => number {
  let comparedAt = Number.NEGATIVE_INFINITY;
  let offset = 0;
  return (monotonicMs) => {
    if (monotonicMs - comparedAt > COMPARE_INTERVAL_MS) {
      comparedAt = monotonicMs;
      offset = Date.now() - performance.now();
    }
    return Math.round(monotonicMs + offset);
  };
}
