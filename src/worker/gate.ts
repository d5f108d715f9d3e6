const REPORT_INTERVAL_MS = 20;

/** How things stand on one endpoint of a worker. */
export interface Load {
  readonly connections: number;
  /** The worker's copy of the listener is closed. */
  readonly isShut: boolean;
}

export interface GateOptions {
  /** Closes the listener: called while a connection is being accepted, so that not one more is taken. */
  readonly shut: () => void;
  readonly report: (load: Load) => void;
}

/**
 * Keeps a worker from taking more than its share of the connections of one endpoint. Nothing is
 * reported while the count stays as it is; changes are gathered, a closed gate is told at once.
 */
export class Gate {
  readonly #options: GateOptions;
  /** Connections at which it shuts; without a supervisor there is no limit. */
  #limit = Number.POSITIVE_INFINITY;
  #connections = 0;
  #isShut = false;
  #reported = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Follows the count; call it on every connection that comes or goes. */
  count(connections: number): void {
    const hasCome = connections > this.#connections;
    this.#connections = connections;
    if (this.#isStopped) return;
    if (hasCome && this.#isAtLimit) this.#shut();
    else this.#timer ??= setTimeout(() => this.#reportChange(), REPORT_INTERVAL_MS).unref();
  }

  /** Sets the limit; a gate that is at it already shuts at once. */
  limitTo(limit: number): void {
    this.#limit = limit;
    if (!this.#isStopped && this.#isAtLimit) this.#shut();
  }

  /** Notes that the listener is open again, until so many connections are. */
  reopened(limit: number): void {
    this.#isShut = false;
    this.#limit = limit;
  }

  /** Tells how things stand, at once. */
  report(): void {
    this.#reported = this.#connections;
    this.#options.report({ connections: this.#connections, isShut: this.#isShut });
  }

  /** Reports no more and shuts no more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  get #isAtLimit(): boolean {
    return !this.#isShut && this.#connections >= this.#limit;
  }

  #shut(): void {
    this.#isShut = true;
    this.#options.shut();
    this.report();
  }

  #reportChange(): void {
    this.#timer = undefined;
    if (this.#connections !== this.#reported) this.report();
  }
}
