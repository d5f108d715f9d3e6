import type { LoopStats } from "../protocol.ts";

/** Time a load is averaged over; workers report once a second. */
const WINDOW_MS = 2_700;
/** A worker that has said nothing for so long is stuck, and what it says next would tell of that alone. */
const LONGEST_SILENCE_MS = 2_000;

interface Reading {
  readonly atMs: number;
  readonly loop: LoopStats;
}

/**
 * Tells how loaded the workers are: how many events, on average, are being worked on or wait their
 * turn. Up to 1 that is the part of the time the event loop is busy. Above, it is the queue before
 * it, which requests in flight would not show: what waits in the kernel has not begun yet.
 */
export class LoadMeter<Worker> {
  readonly #readings = new Map<Worker, readonly Reading[]>();

  note(worker: Worker, reading: Reading): void {
    const before = this.#readings.get(worker) ?? [];
    const last = before.at(-1);
    const isBroken = last !== undefined && reading.atMs - last.atMs > LONGEST_SILENCE_MS;
    const kept = isBroken ? [] : before;
    // The newest one of those a whole window ago is the start of the window.
    const start = kept.findLastIndex(({ atMs }) => reading.atMs - atMs >= WINDOW_MS);
    this.#readings.set(worker, [...kept.slice(Math.max(start, 0)), reading]);
  }

  forget(worker: Worker): void {
    this.#readings.delete(worker);
  }

  /** Measures anew from here on: connections are being moved. */
  reset(): void {
    this.#readings.clear();
  }

  /** Loads of all workers that were heard of lately; undefined while one was not watched long enough. */
  read(nowMs: number): ReadonlyMap<Worker, number> | undefined {
    const heard = [...this.#readings].filter(
      ([, readings]) => nowMs - (readings.at(-1)?.atMs ?? 0) <= LONGEST_SILENCE_MS,
    );
    const loads = heard.map(([worker, readings]) => [worker, loadIn(readings)] as const);
    const known = loads.flatMap(([worker, load]) =>
      load === undefined ? [] : [[worker, load] as const],
    );
    return known.length === loads.length ? new Map(known) : undefined;
  }
}

function loadIn(readings: readonly Reading[]): number | undefined {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined || last.atMs - first.atMs < WINDOW_MS) return;
  const activeMs = last.loop.activeMs - first.loop.activeMs;
  const idleMs = last.loop.idleMs - first.loop.idleMs;
  const events = last.loop.events - first.loop.events;
  const iterations = last.loop.iterations - first.loop.iterations;
  const busy = activeMs / Math.max(activeMs + idleMs, 1);
  return busy * Math.max(events / Math.max(iterations, 1), 1);
}
