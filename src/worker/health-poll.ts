import type { App } from "../app/app.ts";
import type { HealthReport } from "../snapshot.ts";

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 5_000;

/** Asks an app for its health over and over, one question at a time; `onChange` hears what is new. */
export class HealthPoll {
  readonly #app: App;
  readonly #onChange: () => void;
  #last: HealthReport | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(app: App, onChange: () => void) {
    this.#app = app;
    this.#onChange = onChange;
  }

  /** The last answer; undefined while there is none, and for an app without a health check. */
  get last(): HealthReport | undefined {
    return this.#last;
  }

  /** Asks once, and from then on every second. */
  async start(): Promise<void> {
    const { health } = this.#app;
    if (health === undefined || this.#isStopped) return;
    const report = await withTimeout(health());
    if (this.#isStopped) return;
    const hasChanged =
      report.healthy !== this.#last?.healthy || report.message !== this.#last?.message;
    this.#last = report;
    if (hasChanged) this.#onChange();
    this.#timer = setTimeout(() => void this.start(), INTERVAL_MS).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}

function withTimeout(answer: Promise<HealthReport>): Promise<HealthReport> {
  const { promise, resolve } = Promise.withResolvers<HealthReport>();
  const timer = setTimeout(() => {
    resolve({ healthy: false, message: `health() did not answer within ${TIMEOUT_MS / 1_000}s` });
  }, TIMEOUT_MS).unref();
  answer.then(resolve, (error: unknown) => resolve({ healthy: false, message: String(error) }));
  return promise.finally(() => clearTimeout(timer));
}
