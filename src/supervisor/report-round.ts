import type { Clock } from "../lifecycle/deadline.ts";
import type { WorkerHandle } from "./worker-handle.ts";

export interface ReportRoundOptions {
  readonly clock: Clock;
  /** Workers there are; only those that serve or drain can answer. */
  readonly workers: () => readonly WorkerHandle[];
}

/** Asks workers for fresh numbers, and remembers how many did not answer. */
export class ReportRound {
  readonly #options: ReportRoundOptions;
  #missing = 0;

  constructor(options: ReportRoundOptions) {
    this.#options = options;
  }

  /** Workers that did not answer in time the last time they were asked. */
  get missing(): number {
    return this.#missing;
  }

  /** Asks every worker and waits for its answer, `withinMs` at most. */
  async ask(withinMs: number): Promise<void> {
    const { clock, workers } = this.#options;
    const asked = workers().filter(({ state }) => state === "ready" || state === "draining");
    let answered = 0;
    const all = Promise.all(asked.map((worker) => worker.report().then(() => (answered += 1))));
    const { promise: timeUp, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(withinMs, resolve);
    await Promise.race([all, timeUp]);
    cancel();
    this.#missing = asked.length - answered;
  }
}
