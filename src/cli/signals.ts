import type { Logger } from "../log/logger.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { Host } from "./host.ts";

/** nginx images stop with QUIT, which their pod may hand to us too. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
/** Without a listener each of these would end the process at once, its socket files left behind. */
const UNUSED_SIGNALS = ["SIGHUP", "SIGUSR2", "SIGTTIN", "SIGTTOU"] as const;

export interface SignalOptions {
  readonly host: Host;
  readonly supervisor: Supervisor;
  readonly log: Logger;
}

/** The signals of a process while somebody listens to them. */
export interface ObeyedSignals {
  /** A stop was asked for. */
  readonly hasStopped: boolean;
  release(): void;
}

/** The first stop signal drains within the grace period, the second one ends the drain now. */
export function obeySignals({ host, supervisor, log }: SignalOptions): ObeyedSignals {
  let stops = 0;
  const stop = (signal: NodeJS.Signals): void => {
    stops += 1;
    log.info({ signal }, stops === 1 ? "stopping" : "stopping now");
    void (stops === 1 ? supervisor.stop() : supervisor.stop(0));
  };
  const ignore = (signal: NodeJS.Signals): void =>
    log.warn({ signal }, "signal has no meaning yet");
  const listeners = [
    ...STOP_SIGNALS.map((signal) => host.onSignal(signal, stop)),
    ...UNUSED_SIGNALS.map((signal) => host.onSignal(signal, ignore)),
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
