import type { Clock } from "../lifecycle/deadline.ts";
import type { ShedOrder } from "../protocol.ts";
import type { Balancer, GatedWorker } from "./balancer.ts";
import { planMoves } from "./rebalance.ts";

/** How often counts are looked at while they are uneven. */
const LOOK_INTERVAL_MS = 125;
/** Looks in a row that must find a worker above its share: short-lived connections make nobody so for that long. */
const LOOKS = 4;
/** The same once connections are on the move. */
const LOOKS_ON_THE_MOVE = 2;
/** From an order to the next look: the worker samples for 300 ms, and the client must come back. */
const ROUND_MS = 500;
/** The longest such time, when orders come to nothing because connections are idle. */
const LONGEST_ROUND_MS = 16_000;

/** A worker as the rebalancer needs it. */
export interface SheddingWorker extends GatedWorker {
  shed(endpoint: string, order: ShedOrder): void;
}

export interface RebalancerOptions<Worker extends SheddingWorker> {
  readonly endpoint: string;
  readonly balancer: Balancer<Worker>;
  readonly clock: Clock;
}

/** Moves connections of one endpoint that are kept alive, until every worker has its share by number. */
export class Rebalancer<Worker extends SheddingWorker> {
  readonly #options: RebalancerOptions<Worker>;
  /** What workers were above their share at every one of the last looks. */
  #moves: ReadonlyMap<Worker, number> = new Map();
  #looks = 0;
  #roundMs = ROUND_MS;
  #lastOrdered = Number.POSITIVE_INFINITY;
  #cancelLook: (() => void) | undefined;
  #isSettling = false;
  #isStopped = false;

  constructor(options: RebalancerOptions<Worker>) {
    this.#options = options;
  }

  /** Connections are on the move. */
  get isSettling(): boolean {
    return this.#isSettling;
  }

  /** Looks whether counts are even; call it when they change. */
  consider(): void {
    if (this.#isStopped || this.#cancelLook !== undefined) return;
    const moves = this.#plan();
    if (moves.size === 0) return;
    this.#moves = moves;
    this.#looks = 1;
    this.#lookAfter(LOOK_INTERVAL_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelLook?.();
    this.#settle(false);
  }

  #look(): void {
    this.#cancelLook = undefined;
    const plan = this.#plan();
    this.#moves = this.#looks === 0 ? plan : leastOf(this.#moves, plan);
    this.#looks += 1;
    if (this.#moves.size === 0) {
      this.#settle(false);
      this.consider();
    } else if (this.#looks < (this.#isSettling ? LOOKS_ON_THE_MOVE : LOOKS)) {
      this.#lookAfter(LOOK_INTERVAL_MS);
    } else {
      this.#order();
    }
  }

  #order(): void {
    this.#settle(true);
    for (const [worker, connections] of this.#moves)
      worker.shed(this.#options.endpoint, { connections, share: 1 });
    const ordered = [...this.#moves.values()].reduce((sum, count) => sum + count, 0);
    const isProgress = ordered < this.#lastOrdered;
    this.#roundMs = isProgress ? ROUND_MS : Math.min(this.#roundMs * 2, LONGEST_ROUND_MS);
    this.#lastOrdered = ordered;
    this.#looks = 0;
    this.#lookAfter(this.#roundMs);
  }

  #settle(isSettling: boolean): void {
    this.#isSettling = isSettling;
    if (!isSettling) {
      this.#roundMs = ROUND_MS;
      this.#lastOrdered = Number.POSITIVE_INFINITY;
    }
    this.#options.balancer.settle(this.#options.endpoint, isSettling);
  }

  #plan(): ReadonlyMap<Worker, number> {
    return planMoves(this.#options.balancer.connectionsOf(this.#options.endpoint));
  }

  #lookAfter(delayMs: number): void {
    this.#cancelLook = this.#options.clock.after(delayMs, () => this.#look());
  }
}

function leastOf<Id>(
  before: ReadonlyMap<Id, number>,
  now: ReadonlyMap<Id, number>,
): ReadonlyMap<Id, number> {
  const both = [...now].map(([id, count]) => [id, Math.min(count, before.get(id) ?? 0)] as const);
  return new Map(both.filter(([, count]) => count > 0));
}
