/** What an app may take for the order to stop, in the order in which we look for its listeners. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** HUP ends who does not listen, but who does will hardly stop for it. */
const WITHHELD = [...STOP_SIGNALS, "SIGHUP"] as const;

const ignore = (): void => {};

/**
 * Keeps the signals that stop a program from the listeners of an app. A terminal or systemd sends
 * them to every process, and an app that exits at once would cut requests that we are to finish. When
 * these are done the app is told: by the listeners it has for its stop.
 */
export class AppSignals {
  readonly #host: NodeJS.Process;
  #isTelling = false;

  private constructor(host: NodeJS.Process) {
    this.#host = host;
  }

  /** From now on stop signals do nothing; to be called before anybody listens to one. */
  static withhold(host: NodeJS.Process): AppSignals {
    const signals = new AppSignals(host);
    const emit: unknown = Reflect.get(host, "emit");
    const names: ReadonlySet<unknown> = new Set(WITHHELD);
    const filter = (...args: unknown[]): unknown => {
      if (names.has(args[0]) && !signals.#isTelling) return true;
      return typeof emit === "function" && Reflect.apply(emit, host, args);
    };
    Object.defineProperty(host, "emit", { configurable: true, writable: true, value: filter });
    for (const name of WITHHELD) host.on(name, ignore);
    return signals;
  }

  /** Calls the listeners that the app has for its stop, as the signal would have; returns whether there are any. */
  tell(): boolean {
    const signal = STOP_SIGNALS.find((name) =>
      this.#host.listeners(name).some((listener) => listener !== ignore),
    );
    if (signal === undefined) return false;
    this.#isTelling = true;
    // Listeners that end the process by the same signal look whether they are alone.
    for (const name of WITHHELD) this.#host.off(name, ignore);
    this.#host.emit(signal, signal);
    return true;
  }
}
