import { describeError } from "../errors.ts";
import type { EndToEndCheck, Listener } from "../listener/listener.ts";
import type { GuardEvent, ListenerManager } from "../listener/manager.ts";
import type { Logger } from "../log/logger.ts";

const RETRY_MS = 5_000;

export interface SocketKeeperOptions {
  readonly listeners: ListenerManager;
  readonly log: Logger;
  readonly check: EndToEndCheck;
  /** Aborts when the service ends; nothing is bound anew after that. */
  readonly signal: AbortSignal;
  /** Replaces the workers by ones that are given the sockets as they are now; undefined where they cannot be. */
  readonly renewWorkers: (() => Promise<void>) | undefined;
  /** Told when a socket file is not ours any more, and when it is again. */
  readonly onChange: (endpoint: string, event: SocketEvent) => void;
}

export type SocketEvent = "socketLost" | "socketRestored";

/** Says what the guard finds, and where a lost socket cannot be named again puts a new one in its place. */
export class SocketKeeper {
  readonly #options: SocketKeeperOptions;

  constructor(options: SocketKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.listeners.startGuard((event) => this.#onGuard(event));
  }

  #onGuard({ listener, finding }: GuardEvent): void {
    const { log, onChange } = this.#options;
    const { name } = listener.endpoint;
    const fields = { endpoint: name, address: listener.address };
    if (finding.isLost) {
      onChange(name, "socketLost");
      const problem = listener.problem ?? "the socket file was removed";
      log.error({ ...fields, problem }, "socket file lost");
    }
    if (finding.isRestored) {
      onChange(name, "socketRestored");
      log.warn(fields, "socket file put back");
    }
    if (finding.isBeyondRepair) void this.#bindAnew(listener);
  }

  /** Its directory was emptied or made anew: no name leads to the socket, and none can be added. */
  async #bindAnew(lost: Listener): Promise<void> {
    const { listeners, log, check, signal, renewWorkers, onChange } = this.#options;
    if (signal.aborted || renewWorkers === undefined) return;
    const { name } = lost.endpoint;
    const fields = { endpoint: name, address: lost.address };
    let current = lost;
    try {
      current = await listeners.reclaim(lost);
      await renewWorkers();
      if (current.connectTarget !== undefined) await check(current.connectTarget, signal);
      await current.publish();
      onChange(name, "socketRestored");
      log.warn(fields, "socket bound anew");
    } catch (error) {
      if (signal.aborted) return;
      log.error({ ...fields, error: describeError(error) }, "socket cannot be bound anew");
      const timer = setTimeout(() => void this.#bindAnew(current), RETRY_MS).unref();
      signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    }
  }
}
