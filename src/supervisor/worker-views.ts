import type { WorkerSnapshot } from "../protocol.ts";
import type { Standing, WorkerView } from "../snapshot.ts";
import { addUpCounts } from "./add-up-counts.ts";
import type { Ledger } from "./ledger.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** A worker and its numbers, read once for all that is made of them. */
export interface Reading {
  readonly handle: WorkerHandle;
  readonly snapshot: WorkerSnapshot | undefined;
}

/** Reads the numbers of every worker. */
export function readWorkers(handles: readonly WorkerHandle[]): Reading[] {
  return handles.map((handle) => ({ handle, snapshot: handle.snapshot }));
}

/** Connections these workers had to cut. */
export function addUpForced(readings: readonly Reading[]): number {
  return readings.reduce((sum, { handle, snapshot }) => sum + handle.forcedAsOf(snapshot), 0);
}

/** What snapshots hold of workers. */
export function viewWorkers(readings: readonly Reading[], ledger: Ledger): WorkerView[] {
  return readings.map(({ handle, snapshot }) => {
    const { slot, pid, state, silentForMs } = handle;
    const inSlot = readings.flatMap((one) => (one.handle.slot === slot && one.snapshot) || []);
    return {
      slot,
      pid,
      state,
      silentForMs,
      connections: addUpCounts(snapshot, ({ open }) => open),
      requestsInFlight: addUpCounts(snapshot, ({ inFlight }) => inFlight),
      health: snapshot?.health,
      process: snapshot && ledger.processOf(slot, snapshot, inSlot),
    };
  });
}

/** What probes judge workers by: only what they said by themselves, nothing is read. */
export function viewStanding(handles: readonly WorkerHandle[]): Standing["workers"] {
  return handles.map(({ state, silentForMs, reported }) => ({
    state,
    silentForMs,
    health: reported?.health,
  }));
}
