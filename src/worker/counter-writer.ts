import { writeSync } from "node:fs";
import { COUNTER_SLOTS, EndpointCounters } from "../counters.ts";

/** Under load one write stands for all requests of this time; a lone request is written at once. */
const WRITE_INTERVAL_MS = 5;

/** Where the counts are written; undefined when there is no such memory. */
export type CounterDescriptor = number | undefined;

/** Keeps the counts of a worker in memory that outlives it, whatever ends it. */
export class CounterWriter {
  readonly counters: readonly EndpointCounters[];
  readonly #slots: Float64Array;
  #descriptor: CounterDescriptor;
  #isScheduled = false;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(endpoints: number, descriptor: CounterDescriptor) {
    this.#descriptor = descriptor;
    this.#slots = new Float64Array(endpoints * COUNTER_SLOTS);
    this.counters = Array.from({ length: endpoints }, (_, index) => {
      const first = index * COUNTER_SLOTS;
      const own = this.#slots.subarray(first, first + COUNTER_SLOTS);
      return new EndpointCounters(own, () => this.#schedule());
    });
  }

  /** Writes the counts as they are. Not asynchronously: the next instruction may be our last. */
  write(): void {
    this.#isScheduled = false;
    if (this.#descriptor === undefined) return;
    this.#writtenAt = performance.now();
    try {
      writeSync(this.#descriptor, this.#slots, 0, this.#slots.byteLength, 0);
    } catch {
      // Out of memory, or an app that closes what it does not know: reports still carry the counts.
      this.#descriptor = undefined;
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#descriptor === undefined) return;
    this.#isScheduled = true;
    const isQuiet = performance.now() - this.#writtenAt > WRITE_INTERVAL_MS;
    if (isQuiet) setImmediate(() => this.write());
    else setTimeout(() => this.write(), WRITE_INTERVAL_MS).unref();
  }
}
