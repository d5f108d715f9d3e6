import { ACTIVATION_VARIABLES, readActivation, type Activation } from "../activation.ts";
import type { Config } from "../config/config.ts";
import type { Logger } from "../log/logger.ts";
import type { Standing } from "../snapshot.ts";
import { NotifyQueue } from "../systemd/notify-queue.ts";
import {
  NO_SERVICE_MANAGER,
  NotifiedManager,
  type ServiceManager,
} from "../systemd/service-manager.ts";
import type { Host } from "./host.ts";

export interface ServiceManagerPlace {
  readonly host: Host;
  readonly config: Config;
  readonly log: Logger;
  readonly standing: () => Standing;
}

/** Takes the variables by which sockets are handed over: they are meant for us and nobody else. */
export function takeActivation(host: Host): Activation {
  const taken = ACTIVATION_VARIABLES.map((name) => [name, host.takeVariable(name)] as const);
  return readActivation(Object.fromEntries(taken), process.pid);
}

/** Takes the variables by which a service manager asks to be told how we are. */
export function takeServiceManager(place: ServiceManagerPlace): ServiceManager {
  const { host, config, log, standing } = place;
  const socket = host.takeVariable("NOTIFY_SOCKET") ?? "";
  const watchdogUsec = Number(host.takeVariable("WATCHDOG_USEC"));
  const watched = host.takeVariable("WATCHDOG_PID") ?? String(process.pid);
  if (socket === "") return NO_SERVICE_MANAGER;
  const isWatched = watchdogUsec > 0 && watched === String(process.pid);
  return new NotifiedManager({
    queue: new NotifyQueue({ socket, env: { PATH: host.env["PATH"] }, log }),
    watchdogMs: isWatched ? watchdogUsec / 1_000 : undefined,
    gracePeriodMs: config.drain.gracePeriodMs,
    standing,
  });
}
