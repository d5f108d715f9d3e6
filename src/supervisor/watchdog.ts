import type { Clock } from "../lifecycle/deadline.ts";

const INTERVAL_MS = 500;
/** A look that comes later than this says that we ourselves were held up, and so may the workers have been. */
const LATE_MS = 1_000;

/** Whose reports are awaited. */
export interface Watched {
  /** When it reported last, in milliseconds since the epoch. */
  readonly heardAtMs: number;
}

export interface WatchdogOptions<One extends Watched> {
  readonly clock: Clock;
  /** Silence that is too long; 0 watches nobody. Asked at every look. */
  readonly readTimeoutMs: () => number;
  /** Who is to be watched now. */
  readonly watched: () => readonly One[];
  /** Told at every look of everyone that has been silent for too long. */
  readonly onSilent: (one: One, silentForMs: number) => void;
}

interface Silence {
  readonly heardAtMs: number;
  /** What was waited for a report since then, in looks that were in time. */
  readonly waitedMs: number;
}

/**
 * Finds those that do not report any more. Silence is what passed between looks that were in time: a
 * machine that was suspended, or a clock that was set, starts it anew and accuses nobody.
 */
export class Watchdog<One extends Watched> {
  readonly #options: WatchdogOptions<One>;
  #silences: ReadonlyMap<One, Silence> = new Map();
  #lookedAtMs: number;
  #cancel: (() => void) | undefined;

  constructor(options: WatchdogOptions<One>) {
    this.#options = options;
    this.#lookedAtMs = options.clock.now();
  }

  /** Watches from now on. Called again it takes over a timeout that was 0. */
  start(): void {
    this.stop();
    if (this.#options.readTimeoutMs() === 0) return;
    this.#lookedAtMs = this.#options.clock.now();
    this.#lookLater();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #lookLater(): void {
    this.#cancel = this.#options.clock.after(INTERVAL_MS, () => {
      this.#lookLater();
      this.#look();
    });
  }

  #look(): void {
    const { clock, readTimeoutMs, watched, onSilent } = this.#options;
    const timeoutMs = readTimeoutMs();
    if (timeoutMs === 0) return this.stop();
    const passedMs = clock.now() - this.#lookedAtMs;
    this.#lookedAtMs += passedMs;
    const isInTime = passedMs >= 0 && passedMs <= INTERVAL_MS + LATE_MS;
    this.#silences = new Map(
      watched().map((one) => [one, isInTime ? this.#waitOn(one, passedMs) : fresh(one)]),
    );
    for (const [one, { waitedMs }] of this.#silences) {
      if (waitedMs >= timeoutMs) onSilent(one, waitedMs);
    }
  }

  #waitOn(one: One, passedMs: number): Silence {
    const before = this.#silences.get(one);
    if (before === undefined || before.heardAtMs !== one.heardAtMs) return fresh(one);
    return { ...before, waitedMs: before.waitedMs + passedMs };
  }
}

function fresh({ heardAtMs }: Watched): Silence {
  return { heardAtMs, waitedMs: 0 };
}
