import type { Clock } from "../lifecycle/deadline.ts";
import type { LoopStats } from "../protocol.ts";
import type { Balancer } from "./balancer.ts";
import { LoadMeter } from "./load-meter.ts";
import { planRelief } from "./rebalance.ts";
import type { SheddingWorker } from "./rebalancer.ts";

/** The most connections of an endpoint that a worker lets go of at once because it is busy. */
const CONNECTIONS = 4;
/** Busy workers take no new connections for so long: sample, next request, and the client's coming back. */
const HOLD_MS = 1_500;

export interface RelieverOptions<Worker extends SheddingWorker> {
  readonly endpoints: readonly string[];
  readonly balancer: Balancer<Worker>;
  readonly clock: Clock;
  /** Connections are being moved for another reason: loads of now say little of loads to come. */
  readonly isSettling: () => boolean;
}

/** Moves some busy connections away from workers that are busier than the others in two windows in a row. */
export class Reliever<Worker extends SheddingWorker> {
  readonly #options: RelieverOptions<Worker>;
  readonly #meter = new LoadMeter<Worker>();
  /** Who was overloaded in the window before this one: once may be another program on the processor. */
  #suspects: ReadonlySet<Worker> = new Set();
  #cancelHold: (() => void) | undefined;
  #isStopped = false;

  constructor(options: RelieverOptions<Worker>) {
    this.#options = options;
  }

  /** Follows what the event loop of a worker has done, and acts on it. */
  note(worker: Worker, loop: LoopStats): void {
    const { clock, isSettling } = this.#options;
    if (this.#isStopped || this.#cancelHold !== undefined) return;
    if (isSettling()) return this.#suspect([]);
    this.#meter.note(worker, { atMs: clock.now(), loop });
    const loads = this.#meter.read(clock.now());
    if (loads === undefined) return;
    const relief = planRelief(loads);
    const lasting = new Map([...relief].filter(([each]) => this.#suspects.has(each)));
    if (lasting.size > 0) this.#relieve(loads, lasting);
    else if (relief.size > 0) this.#suspect(relief.keys());
    else this.#suspects = new Set();
  }

  leave(worker: Worker): void {
    this.#meter.forget(worker);
  }

  stop(): void {
    this.#isStopped = true;
    this.#release();
  }

  #relieve(loads: ReadonlyMap<Worker, number>, relief: ReadonlyMap<Worker, number>): void {
    const { endpoints, balancer, clock } = this.#options;
    const average = [...loads.values()].reduce((sum, load) => sum + load, 0) / loads.size;
    balancer.hold(new Set([...loads.keys()].filter((each) => (loads.get(each) ?? 0) > average)));
    for (const [worker, share] of relief)
      for (const endpoint of endpoints) worker.shed(endpoint, { connections: CONNECTIONS, share });
    this.#cancelHold = clock.after(HOLD_MS, () => this.#release());
    this.#suspect([]);
  }

  /** Measures anew, with an eye on these. */
  #suspect(workers: Iterable<Worker>): void {
    this.#suspects = new Set(workers);
    this.#meter.reset();
  }

  #release(): void {
    if (this.#cancelHold === undefined) return;
    this.#cancelHold();
    this.#cancelHold = undefined;
    this.#options.balancer.hold(new Set());
  }
}
