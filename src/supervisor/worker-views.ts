import type { WorkerView } from "../snapshot.ts";
import type { Ledger } from "./ledger.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/** What snapshots hold of workers. */
export function viewWorkers(handles: readonly WorkerHandle[], ledger: Ledger): WorkerView[] {
  const reported = handles.map((handle) => ({ handle, snapshot: handle.snapshot }));
  return reported.map(({ handle, snapshot }) => {
    const { slot, pid, state, silentForMs, connections, requestsInFlight } = handle;
    const inSlot = reported.flatMap((one) => (one.handle.slot === slot && one.snapshot) || []);
    return {
      slot,
      pid,
      state,
      silentForMs,
      connections,
      requestsInFlight,
      health: snapshot?.health,
      process: snapshot && ledger.processOf(slot, snapshot, inSlot),
    };
  });
}
