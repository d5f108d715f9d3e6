import type { DrainConfig } from "../config/config.ts";
import { settledBefore, systemClock, type Deadline } from "../lifecycle/deadline.ts";
import type { EndToEndCheck } from "../listener/listener.ts";
import type { ListenerManager } from "../listener/manager.ts";
import type { Logger } from "../log/logger.ts";
import { untilGone } from "./until-gone.ts";
import type { WorkerSet } from "./worker-set.ts";

/** How long an accept queue waits for a worker while each that is started fails. */
const QUEUE_PATIENCE_MS = 5_000;
const QUEUE_CHECK_INTERVAL_MS = 1_000;

/**
 * Why a process ends its service: it was told to, or a successor has its public names, and nobody new
 * can come.
 */
export type DrainReason = "stop" | "takeover";

export interface DrainOptions {
  readonly config: DrainConfig;
  readonly workers: WorkerSet;
  readonly listeners: ListenerManager;
  /** Reaches a worker; a 503 for too many connections is an answer too. */
  readonly check: EndToEndCheck;
  readonly deadline: Deadline;
  readonly reason: DrainReason;
  /** Resolves when the service is to end; before that, nothing is taken away. */
  readonly stopAsked: Promise<void>;
  readonly log: Logger;
}

/**
 * Takes a serving process out of service without losing a request: keeps accepting while the
 * proxies before us may still come, says goodbye on every response, and when the service is to end
 * takes the public names away, empties the accept queues, and lets every worker finish. All of it
 * within the deadline.
 */
export async function drain(options: DrainOptions): Promise<void> {
  const { workers, listeners, deadline, reason, stopAsked, log } = options;
  if (reason === "stop") await keepAccepting(options);
  log.info({}, "announcing close");
  workers.announceClose();
  await stopAsked;
  await listeners.withdraw();
  if (reason === "stop") log.info({}, "endpoints withdrawn");
  await emptyQueues(options);
  const gone = workers.drain(deadline.atMs);
  // A connection that comes now must be refused, not left in a queue that nobody serves.
  listeners.letGo();
  await gone;
}

async function keepAccepting({ config, deadline, log }: DrainOptions): Promise<void> {
  if (config.delayMs > 0) await pause(config.delayMs, deadline.signal);
  if (config.untilGone === undefined) return;
  if (await untilGone(config.untilGone, deadline.signal)) return;
  log.warn({ file: config.untilGone }, "file is still there at the deadline");
}

/** Queues are served in order: when a request sent last is answered, every one before it was accepted. */
async function emptyQueues(options: DrainOptions): Promise<void> {
  const { listeners, check, deadline, log } = options;
  const hopeless = watchForHopelessness(options);
  const signal = AbortSignal.any([deadline.signal, hopeless.signal]);
  for (const { connectTarget, address } of listeners.listeners) {
    if (deadline.hasPassed) break;
    // What is left in that queue is for the next one whom the socket is handed to.
    if (connectTarget === undefined) continue;
    await check(connectTarget, signal).catch(() => {
      // After a second signal nobody waits for it.
      if (deadline.hasPassed) return;
      const reason = hopeless.signal.aborted ? { reason: "each worker that is started fails" } : {};
      log.warn({ address, ...reason }, "accept queue was not emptied");
    });
  }
  hopeless.stop();
}

/** Its signal aborts when there is no worker that could accept, and none to be expected. */
function watchForHopelessness({ workers }: DrainOptions): {
  readonly signal: AbortSignal;
  readonly stop: () => void;
} {
  const controller = new AbortController();
  const look = (): void => {
    if (workers.isFailing) controller.abort();
    else cancel = systemClock.after(QUEUE_CHECK_INTERVAL_MS, look);
  };
  let cancel = systemClock.after(QUEUE_PATIENCE_MS, look);
  return { signal: controller.signal, stop: () => cancel() };
}

function pause(delayMs: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = systemClock.after(delayMs, resolve);
  return settledBefore(promise, signal).finally(cancel);
}
