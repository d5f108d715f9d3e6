import type { BalanceMode } from "../config/config.ts";
import type { Clock } from "../lifecycle/deadline.ts";
import type { LoadReport, LoopStats } from "../protocol.ts";
import { BALANCE_SLACK } from "./balance.ts";
import { Balancer } from "./balancer.ts";
import { Rebalancer, type SheddingWorker } from "./rebalancer.ts";
import { Reliever } from "./reliever.ts";

export interface SharingOptions {
  readonly mode: BalanceMode;
  readonly endpoints: readonly string[];
  readonly clock: Clock;
}

/** Shares work out among the workers, as far as `--balance` says: who accepts, who lets go of connections. */
export class Sharing<Worker extends SheddingWorker> {
  readonly #balancer: Balancer<Worker> | undefined;
  readonly #rebalancers: ReadonlyMap<string, Rebalancer<Worker>>;
  readonly #reliever: Reliever<Worker> | undefined;

  constructor({ mode, endpoints, clock }: SharingOptions) {
    const balancer = new Balancer<Worker>({ endpoints, slack: BALANCE_SLACK, clock });
    const moved = mode === "connections" || mode === "load" ? endpoints : [];
    const rebalancers = moved.map(
      (endpoint) => [endpoint, new Rebalancer({ endpoint, balancer, clock })] as const,
    );
    this.#balancer = mode === "off" ? undefined : balancer;
    this.#rebalancers = new Map(rebalancers);
    const isSettling = (): boolean => rebalancers.some(([, { isSettling: is }]) => is);
    this.#reliever =
      mode === "load" ? new Reliever({ endpoints, balancer, clock, isSettling }) : undefined;
  }

  /** Counts a worker in that has begun to accept. */
  join(worker: Worker): void {
    this.#balancer?.join(worker);
    this.#consider();
  }

  /** Counts a worker out that accepts no more. */
  leave(worker: Worker): void {
    this.#balancer?.leave(worker);
    this.#reliever?.leave(worker);
    this.#consider();
  }

  /** Follows how many connections a worker has. */
  note(worker: Worker, report: LoadReport): void {
    this.#balancer?.note(worker, report);
    this.#rebalancers.get(report.endpoint)?.consider();
  }

  /** Follows how busy a worker is. */
  noteLoop(worker: Worker, loop: LoopStats): void {
    this.#reliever?.note(worker, loop);
  }

  /** Moves nothing any more: every connection is about to end anyway. */
  stopMoving(): void {
    this.#reliever?.stop();
    for (const rebalancer of this.#rebalancers.values()) rebalancer.stop();
  }

  /** Leaves everything as it is. */
  stop(): void {
    this.stopMoving();
    this.#balancer?.stop();
  }

  #consider(): void {
    for (const rebalancer of this.#rebalancers.values()) rebalancer.consider();
  }
}
