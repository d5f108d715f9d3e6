import { randomBytes } from "node:crypto";
import { closeSync, openSync, readSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { COUNTER_SLOTS, EndpointCounters } from "../counters.ts";

/** Memory as files: where there is none, or none that can be written, counts travel by reports alone. */
const MEMORY_DIR = "/dev/shm";

/** Counts by endpoint, as slots of `EndpointCounters`. */
export type CountersByEndpoint = Readonly<Record<string, Float64Array>>;

/**
 * A piece of memory that a worker writes its counts to and we can read at any time: while it hangs,
 * and after it was killed. A file without a name, so that nothing is left behind.
 */
export class CounterPage {
  readonly descriptor: number;
  readonly #endpoints: readonly string[];
  readonly #slots: Float64Array;

  private constructor(descriptor: number, endpoints: readonly string[]) {
    this.descriptor = descriptor;
    this.#endpoints = endpoints;
    this.#slots = new Float64Array(endpoints.length * COUNTER_SLOTS);
  }

  /** Creates a page for these endpoints; undefined where the system has no such memory. */
  static open(endpoints: readonly string[], dir: string = MEMORY_DIR): CounterPage | undefined {
    const path = join(dir, `outrigger-${randomBytes(8).toString("hex")}`);
    try {
      const descriptor = openSync(path, "wx+", 0o600);
      unlinkSync(path);
      return new CounterPage(descriptor, endpoints);
    } catch {
      return undefined;
    }
  }

  /** What the worker has written last; all zero when it has written nothing yet. */
  read(): CountersByEndpoint {
    readSync(this.descriptor, this.#slots, 0, this.#slots.byteLength, 0);
    return Object.fromEntries(
      this.#endpoints.map((name, index) => {
        const first = index * COUNTER_SLOTS;
        return [name, this.#slots.slice(first, first + COUNTER_SLOTS)];
      }),
    );
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** What was written, or what was reported where that is later: a worker may have stopped writing. */
export function latestOf(
  written: CountersByEndpoint,
  reported: CountersByEndpoint,
): CountersByEndpoint {
  const latest = Object.entries(written).map(([endpoint, slots]) => {
    const counters = new EndpointCounters(slots);
    // Every slot only ever grows, so the larger is the later one.
    counters.raiseTo(new EndpointCounters(reported[endpoint]));
    return [endpoint, counters.slots] as const;
  });
  return Object.fromEntries(latest);
}
