import type { Config } from "../config/config.ts";
import { describeError, OutriggerError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { ServiceManager } from "../systemd/service-manager.ts";
import type { Host } from "./host.ts";

/** nginx images stop with QUIT, which their pod may hand to us too. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** Announces the drain. */
export const DRAIN_SIGNAL = "SIGUSR2";

/** Those a terminal sends when a key is pressed. */
const KEY_SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];
/** How soon after the first such a signal is the same key press. */
const ECHO_MS = 250;

export interface SignalOptions {
  readonly host: Host;
  readonly supervisor: Supervisor;
  /** Who wants to know of a reload. */
  readonly manager: ServiceManager;
  readonly log: Logger;
  /** Reads the configuration again; throws what it is refused for. */
  readonly reread: () => Config;
}

/** The signals of a process while somebody listens to them. */
export interface ObeyedSignals {
  /** A stop was asked for. */
  readonly hasStopped: boolean;
  release(): void;
}

/**
 * Obeys signals: a stop signal drains within the grace period and a second one ends the drain now,
 * HUP replaces the workers, TTIN adds one, TTOU takes one away, and USR2 announces the drain that a
 * stop signal finishes.
 */
export function obeySignals({
  host,
  supervisor,
  manager,
  log,
  reread,
}: SignalOptions): ObeyedSignals {
  let stops = 0;
  const pressedAtMs = new Map<NodeJS.Signals, number>();
  const stop = (signal: NodeJS.Signals): void => {
    // One Ctrl-C may come twice: from the terminal to us, and by way of npm or an init once more.
    if (KEY_SIGNALS.includes(signal)) {
      if (Date.now() - (pressedAtMs.get(signal) ?? 0) < ECHO_MS) return;
      pressedAtMs.set(signal, Date.now());
    }
    stops += 1;
    log.info({ signal }, stops === 1 ? "stopping" : "stopping now");
    void (stops === 1 ? supervisor.stop() : supervisor.stop(0));
  };
  const change = (what: string, action: () => Promise<void>) => (): void => {
    log.info({}, `${what} started`);
    void action().then(
      () => log.info({}, `${what} done`),
      (error: unknown) => {
        const isRefusal = error instanceof OutriggerError && error.code === "ERR_STATE";
        const level = isRefusal ? "warn" : "error";
        log[stops === 0 ? level : "info"]({ error: describeError(error) }, `${what} failed`);
      },
    );
  };
  const listeners = [
    ...STOP_SIGNALS.map((signal) => host.onSignal(signal, stop)),
    host.onSignal(
      "SIGHUP",
      // What is refused must reject, not throw: a signal handler that throws ends the process.
      change("reload", () =>
        manager.whileReloading(async () => await supervisor.changes.reload(reread())),
      ),
    ),
    host.onSignal(
      "SIGTTIN",
      change("grow", () => supervisor.changes.grow()),
    ),
    host.onSignal(
      "SIGTTOU",
      change("shrink", () => supervisor.changes.shrink()),
    ),
    host.onSignal(DRAIN_SIGNAL, () => supervisor.announceDrain()),
  ];
  return {
    get hasStopped() {
      return stops > 0;
    },
    release() {
      for (const remove of listeners) remove();
    },
  };
}
