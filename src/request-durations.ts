/** Request methods that have a series of their own; any other is `_OTHER`. */
export const METHODS = [
  "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "_OTHER",
] as const; // prettier-ignore

/** Upper bounds of the duration histogram, in seconds (OpenTelemetry `http.server.request.duration`). */
export const DURATION_BOUNDS_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const; // prettier-ignore

const STATUS_CLASSES = 5;
/** Sums are whole microseconds: exact, so that no order of adding up makes one fall. */
const MICROSECONDS = 1_000_000;
/** One histogram: a slot per bucket, one for what is above every bound, one for the sum. */
const HISTOGRAM_SLOTS = DURATION_BOUNDS_SECONDS.length + 2;
const SUM_OFFSET = HISTOGRAM_SLOTS - 1;

/** Length of the slots of `RequestDurations`. */
export const DURATION_SLOTS: number = METHODS.length * STATUS_CLASSES * HISTOGRAM_SLOTS;

const METHOD_INDEX: ReadonlyMap<string, number> = new Map(
  METHODS.map((method, index) => [method, index]),
);
const OTHER_METHOD = METHODS.length - 1;

/** The requests of one method and status class. */
export interface DurationSeries {
  readonly method: string;
  /** `1xx` to `5xx`. */
  readonly status: string;
  /** Requests per bucket, not cumulative; the last one is above every bound. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
  readonly count: number;
}

/** How long requests took, in a histogram for every method and status class: slots that only ever grow. */
export class RequestDurations {
  readonly #slots: Float64Array;

  constructor(slots: Float64Array) {
    this.#slots = slots;
  }

  /** Counts a request that has ended. */
  count(method: string | undefined, status: number, seconds: number): void {
    const methodIndex = METHOD_INDEX.get(method ?? "") ?? OTHER_METHOD;
    const statusIndex = Math.min(Math.max(Math.trunc(status / 100), 1), STATUS_CLASSES) - 1;
    const base = baseOf(methodIndex, statusIndex);
    let bucket = 0;
    while (
      bucket < DURATION_BOUNDS_SECONDS.length &&
      seconds > (DURATION_BOUNDS_SECONDS[bucket] ?? 0)
    )
      bucket += 1;
    this.#increase(base + bucket, 1);
    this.#increase(base + SUM_OFFSET, Math.round(seconds * MICROSECONDS));
  }

  /** Every combination of method and status class that was seen. */
  read(): DurationSeries[] {
    const all: DurationSeries[] = [];
    for (const [methodIndex, method] of METHODS.entries()) {
      for (let statusIndex = 0; statusIndex < STATUS_CLASSES; statusIndex += 1) {
        const base = baseOf(methodIndex, statusIndex);
        const buckets = [...this.#slots.subarray(base, base + SUM_OFFSET)];
        const count = buckets.reduce((total, bucket) => total + bucket, 0);
        if (count === 0) continue;
        all.push({
          method,
          status: `${statusIndex + 1}xx`,
          buckets,
          sumSeconds: this.#read(base + SUM_OFFSET) / MICROSECONDS,
          count,
        });
      }
    }
    return all;
  }

  #increase(slot: number, by: number): void {
    this.#slots[slot] = this.#read(slot) + by;
  }

  #read(slot: number): number {
    return this.#slots[slot] ?? 0;
  }
}

function baseOf(methodIndex: number, statusIndex: number): number {
  return (methodIndex * STATUS_CLASSES + statusIndex) * HISTOGRAM_SLOTS;
}
