import { EndpointCounters, type CloseReason } from "../counters.ts";
import type { WorkerSnapshot } from "../protocol.ts";
import type { ProcessStats } from "../snapshot.ts";

/** A worker that is gone, and the last it said. */
export interface RetiredWorker {
  readonly slot: number;
  readonly snapshot: WorkerSnapshot | undefined;
}

/** Adds up what workers counted, so that no total falls when one of them is gone. */
export class Ledger {
  readonly #retired: ReadonlyMap<string, EndpointCounters>;
  /** Processor time of the dead, by slot. */
  readonly #retiredCpu = new Map<number, { user: number; system: number }>();

  constructor(endpoints: readonly string[]) {
    this.#retired = new Map(endpoints.map((name) => [name, new EndpointCounters()]));
  }

  /** Takes over the last numbers of a worker that is gone; what was open there was closed for this reason. */
  retire({ slot, snapshot: last }: RetiredWorker, reason: CloseReason): void {
    if (last === undefined) return;
    for (const [name, total] of this.#retired) {
      const share = countersOf(last, name).copy();
      share.countRecognized("client", share.unrecognized);
      share.countClosed(reason, share.open);
      share.countWebSocketsClosed(share.webSockets);
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

  /**
   * What a worker says of its process, with the processor time of all that were and are in its slot:
   * counters never fall. While a worker is replaced two of them are `living`.
   */
  processOf(
    slot: number,
    { process }: WorkerSnapshot,
    living: readonly WorkerSnapshot[],
  ): ProcessStats {
    const { user, system } = this.#retiredCpu.get(slot) ?? { user: 0, system: 0 };
    return {
      ...process,
      cpuUserSeconds: addUp(user, ...living.map((one) => one.process.cpuUserSeconds)),
      cpuSystemSeconds: addUp(system, ...living.map((one) => one.process.cpuSystemSeconds)),
    };
  }
}

/** Rounded to the microseconds they were measured in, so that the order of adding up makes no difference. */
function addUp(...seconds: readonly number[]): number {
  return Math.round(seconds.reduce((sum, part) => sum + part, 0) * 1e6) / 1e6;
}

function countersOf(snapshot: WorkerSnapshot, endpoint: string): EndpointCounters {
  return new EndpointCounters(snapshot.counters[endpoint]);
}
