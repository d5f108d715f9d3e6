import { EndpointCounters } from "../counters.ts";
import type { WorkerSnapshot } from "../protocol.ts";

/** Adds up one number over the endpoints of a worker; 0 when it has not reported yet. */
export function addUpCounts(
  snapshot: WorkerSnapshot | undefined,
  read: (counters: EndpointCounters) => number,
): number {
  const all = Object.values(snapshot?.counters ?? {});
  return all.reduce((total, slots) => total + read(new EndpointCounters(slots)), 0);
}
