import { EndpointCounters } from "../counters.ts";
import type { WorkerSnapshot } from "../protocol.ts";
import type { ProcessStats } from "../snapshot.ts";

/** Adds up what workers counted, so that no total falls when one of them is gone. */
export class Ledger {
  readonly #retired: ReadonlyMap<string, EndpointCounters>;
  /** Processor time of the dead, by slot. */
  readonly #retiredCpu = new Map<number, { user: number; system: number }>();

  constructor(endpoints: readonly string[]) {
    this.#retired = new Map(endpoints.map((name) => [name, new EndpointCounters()]));
  }

  /** Takes over the last numbers of a worker that is gone; what was open there is closed now. */
  retire(slot: number, last: WorkerSnapshot | undefined): void {
    if (last === undefined) return;
    for (const [name, total] of this.#retired) {
      const share = countersOf(last, name).copy();
      share.countClosed("worker_lost", share.open);
      share.abandonInFlight();
      total.add(share);
    }
    const cpu = this.#retiredCpu.get(slot) ?? { user: 0, system: 0 };
    this.#retiredCpu.set(slot, {
      user: cpu.user + last.process.cpuUserSeconds,
      system: cpu.system + last.process.cpuSystemSeconds,
    });
  }

  /** Totals of an endpoint: the dead workers' and those of the living. */
  total(endpoint: string, living: readonly (WorkerSnapshot | undefined)[]): EndpointCounters {
    const total = this.#retired.get(endpoint)?.copy() ?? new EndpointCounters();
    for (const snapshot of living)
      if (snapshot !== undefined) total.add(countersOf(snapshot, endpoint));
    return total;
  }

  /** What a worker says of its process, with its predecessors' processor time in it: counters never fall. */
  processOf(slot: number, { process }: WorkerSnapshot): ProcessStats {
    const retired = this.#retiredCpu.get(slot) ?? { user: 0, system: 0 };
    return {
      ...process,
      cpuUserSeconds: process.cpuUserSeconds + retired.user,
      cpuSystemSeconds: process.cpuSystemSeconds + retired.system,
    };
  }
}

function countersOf(snapshot: WorkerSnapshot, endpoint: string): EndpointCounters {
  return new EndpointCounters(snapshot.counters[endpoint]);
}
