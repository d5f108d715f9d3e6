/** Timers as an argument, so that tests decide when time passes. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after `delayMs`, never when that is infinite; the returned function takes that back. */
  after(delayMs: number, callback: () => void): () => void;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The real time. Its timers keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    if (delayMs === Number.POSITIVE_INFINITY) return () => {};
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** The real time; its timers keep nothing alive. */
export const backgroundClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS)).unref();
    return () => clearTimeout(timer);
  },
};

/** An instant that can be moved nearer, never farther; its signal aborts when it has come. */
export class Deadline {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  #atMs: number;
  #cancel: () => void;

  constructor(delayMs: number, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#atMs = clock.now() + delayMs;
    this.#cancel = clock.after(delayMs, () => this.#controller.abort());
  }

  /** When it comes, in milliseconds since the epoch. */
  get atMs(): number {
    return this.#atMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get hasPassed(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Moves the deadline to `delayMs` from now, unless it would come later than it does. */
  shorten(delayMs: number): void {
    const atMs = this.#clock.now() + delayMs;
    if (atMs >= this.#atMs || this.hasPassed) return;
    this.#cancel();
    this.#atMs = atMs;
    if (delayMs <= 0) this.#controller.abort();
    else this.#cancel = this.#clock.after(delayMs, () => this.#controller.abort());
  }

  /** Lets go of the timer; the signal will not abort any more. */
  clear(): void {
    this.#cancel();
  }
}

/** Resolves `true` when `promise` settles well, `false` when the signal aborts first. */
export async function settledBefore(
  promise: Promise<unknown>,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise: aborted, resolve } = Promise.withResolvers<boolean>();
  const onAbort = (): void => resolve(false);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise.then(() => true), aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Resolves `true` when `promise` settles well, `false` when it takes longer than `delayMs`. */
export async function settledWithin(promise: Promise<unknown>, delayMs: number): Promise<boolean> {
  const deadline = new Deadline(delayMs);
  try {
    return await settledBefore(promise, deadline.signal);
  } finally {
    deadline.clear();
  }
}
