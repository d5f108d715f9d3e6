import type { Clock } from "../lifecycle/deadline.ts";
import type { LoadReport } from "../protocol.ts";
import { planGates, type WorkerLoad } from "./balance.ts";

/** How often the open workers are asked whether they still answer, while another is shut. */
const WATCH_INTERVAL_MS = 100;

/** A worker as the balancer needs it. */
export interface GatedWorker {
  askLoad(): void;
  limit(endpoint: string, limit: number): void;
  reopen(endpoint: string, limit: number): void;
}

interface Standing extends WorkerLoad {
  /** The limit it was told last. */
  readonly limit: number;
}

const NEWCOMER: Standing = {
  connections: 0,
  isShut: false,
  isResponsive: true,
  isHeld: false,
  limit: Number.POSITIVE_INFINITY,
};

export interface BalancerOptions {
  readonly endpoints: readonly string[];
  /** Connections above the average at which a worker stops accepting. */
  readonly slack: number;
  readonly clock: Clock;
}

/** Shares the connections of every endpoint out evenly: tells workers their limits and opens gates again. */
export class Balancer<Worker extends GatedWorker> {
  readonly #options: BalancerOptions;
  readonly #standings: ReadonlyMap<string, Map<Worker, Standing>>;
  /** Endpoints whose connections are being moved: only those below the average accept. */
  readonly #settling = new Set<string>();
  /** Workers that have not answered since they were asked. */
  readonly #unanswered = new Set<Worker>();
  #cancelWatch: (() => void) | undefined;

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#standings = new Map(options.endpoints.map((endpoint) => [endpoint, new Map()]));
  }

  /** Counts a worker in that has begun to accept. */
  join(worker: Worker): void {
    for (const [endpoint, standings] of this.#standings) {
      standings.set(worker, NEWCOMER);
      this.#replan(endpoint);
    }
  }

  /** Counts a worker out that accepts no more. */
  leave(worker: Worker): void {
    this.#unanswered.delete(worker);
    for (const [endpoint, standings] of this.#standings) {
      if (standings.delete(worker)) this.#replan(endpoint);
    }
  }

  /** Follows what a worker reports. */
  note(worker: Worker, { endpoint, connections, isShut }: LoadReport): void {
    this.#unanswered.delete(worker);
    const standings = this.#standings.get(endpoint);
    const standing = standings?.get(worker);
    if (standings === undefined || standing === undefined) return;
    standings.set(worker, { ...standing, connections, isShut, isResponsive: true });
    this.#replan(endpoint);
  }

  /** Connections of the workers that answer. */
  connectionsOf(endpoint: string): ReadonlyMap<Worker, number> {
    const standings = [...(this.#standings.get(endpoint) ?? [])];
    return new Map(
      standings
        .filter(([, { isResponsive }]) => isResponsive)
        .map(([worker, { connections }]) => [worker, connections]),
    );
  }

  /** Lets only workers below the average accept on an endpoint, or ends that. */
  settle(endpoint: string, isSettling: boolean): void {
    if (this.#settling.has(endpoint) === isSettling) return;
    if (isSettling) this.#settling.add(endpoint);
    else this.#settling.delete(endpoint);
    this.#replan(endpoint);
  }

  /** Lets no more come to these workers while others can take them; nobody else is held any more. */
  hold(workers: ReadonlySet<Worker>): void {
    for (const [endpoint, standings] of this.#standings) {
      for (const worker of standings.keys())
        this.#update(standings, worker, { isHeld: workers.has(worker) });
      this.#replan(endpoint);
    }
  }

  stop(): void {
    this.#cancelWatch?.();
  }

  #replan(endpoint: string): void {
    const standings = this.#standings.get(endpoint) ?? new Map<Worker, Standing>();
    const slack = this.#settling.has(endpoint) ? 0 : this.#options.slack;
    const { limit, reopen, areHeld } = planGates(standings, slack);
    for (const worker of reopen) {
      this.#update(standings, worker, { isShut: false, limit });
      worker.reopen(endpoint, limit);
    }
    for (const [worker, standing] of standings) {
      // A higher limit can wait until the old one is reached; a lower one is told once it matters.
      const own = standing.isHeld && areHeld ? 0 : limit;
      const isLower = Number.isFinite(own) && own <= standing.limit - Math.max(slack, 1);
      if (standing.isShut || !isLower) continue;
      this.#update(standings, worker, { limit: own });
      worker.limit(endpoint, own);
    }
    this.#watchWhileShut();
  }

  #update(standings: Map<Worker, Standing>, worker: Worker, changes: Partial<Standing>): void {
    const standing = standings.get(worker);
    if (standing !== undefined) standings.set(worker, { ...standing, ...changes });
  }

  /** While one is shut, the others must be there to accept: a worker that does not answer is not. */
  #watchWhileShut(): void {
    const all = [...this.#standings.values()].flatMap((standings) => [...standings.values()]);
    if (!all.some(({ isShut }) => isShut)) {
      this.#cancelWatch?.();
      this.#cancelWatch = undefined;
      this.#unanswered.clear();
      return;
    }
    this.#cancelWatch ??= this.#options.clock.after(WATCH_INTERVAL_MS, () => this.#watch());
  }

  #watch(): void {
    this.#cancelWatch = undefined;
    for (const [endpoint, standings] of this.#standings) {
      for (const worker of this.#unanswered) {
        this.#update(standings, worker, { isResponsive: false });
      }
      this.#replan(endpoint);
    }
    for (const worker of this.#openWorkers()) {
      // One that still owes an answer is not asked again: questions would pile up before it.
      if (this.#unanswered.has(worker)) continue;
      this.#unanswered.add(worker);
      worker.askLoad();
    }
  }

  #openWorkers(): ReadonlySet<Worker> {
    const standings = [...this.#standings.values()].flatMap((each) => [...each]);
    return new Set(standings.filter(([, { isShut }]) => !isShut).map(([worker]) => worker));
  }
}
