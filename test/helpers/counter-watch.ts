import assert from "node:assert/strict";
import { eventually } from "./deadline.ts";
import type { Metrics } from "./metrics.ts";
import type { Serving } from "./serving.ts";

const DEADLINE_MS = 15_000;

/** Compares every counter with what it was the time before. */
export class CounterWatch {
  readonly #service: Serving;
  #last: ReadonlyMap<string, number>;

  private constructor(service: Serving, first: Metrics) {
    this.#service = service;
    this.#last = first.counters();
  }

  static async begin(service: Serving): Promise<CounterWatch> {
    return new CounterWatch(service, await service.metrics());
  }

  /** Scrapes once; fails when a counter fell. */
  async sample(): Promise<void> {
    const next = (await this.#service.metrics()).counters();
    for (const [series, value] of next) {
      const before = this.#last.get(series) ?? 0;
      assert.ok(value >= before, `${series} fell from ${before} to ${value}`);
    }
    // A series may pause while its worker is replaced; what it showed before still binds it.
    this.#last = new Map([...this.#last, ...next]);
  }

  /** Samples until a series has this value. */
  async until(series: string, value: number): Promise<void> {
    await eventually(
      DEADLINE_MS,
      async () => {
        await this.sample();
        return this.#last.get(series) === value || undefined;
      },
      `${series} ${value}`,
    );
  }

  /** Whether any series of that name was seen. */
  has(name: string): boolean {
    return [...this.#last.keys()].some((series) => series.startsWith(name));
  }
}
