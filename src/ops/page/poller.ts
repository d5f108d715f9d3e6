/** Asks again and again while it is on. */
export class Poller {
  readonly #ask: (signal: AbortSignal) => Promise<void>;
  readonly #intervalMs: number;
  #running: AbortController | undefined;

  /** @param ask One question; it deals with its own failures, and with being aborted. */
  constructor(ask: (signal: AbortSignal) => Promise<void>, intervalMs: number) {
    this.#ask = ask;
    this.#intervalMs = intervalMs;
  }

  /** Asks at once, and then each interval after the answer. Already on it changes nothing. */
  start(): void {
    if (this.#running !== undefined) return;
    const running = new AbortController();
    this.#running = running;
    void this.#run(running.signal);
  }

  /** Asks no more, and gives up the question that waits for its answer. */
  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    await this.#ask(signal);
    if (signal.aborted) return;
    const timer = setTimeout(() => void this.#run(signal), this.#intervalMs);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }
}
