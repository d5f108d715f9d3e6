import type { Endpoint } from "../config/config.ts";
import { describeError, OutriggerError } from "../errors.ts";
import { settledWithin } from "../lifecycle/deadline.ts";
import { claimAbstract } from "./abstract.ts";
import type { EndToEndCheck, GuardFinding, Listener } from "./listener.ts";
import { claimTcp } from "./tcp.ts";
import { UnixListener } from "./unix.ts";

/** How often the guard looks at the socket files. */
const GUARD_INTERVAL_MS = 1_000;
/** How long to wait for a claim that is not wanted any more: a name to look up may take longer. */
const GIVE_BACK_MS = 500;

export interface GuardEvent {
  readonly listener: Listener;
  readonly finding: GuardFinding;
}

/** Owns every socket the app is served on: claims all of them or none, and closes each exactly once. */
export class ListenerManager {
  readonly #listeners: Listener[] = [];
  #staleRemoved = 0;
  #stopGuard: (() => void) | undefined;
  /** An uncaught error or process.exit() ends us without a close. */
  readonly #releaseSync = (): void => {
    for (const listener of this.listeners) listener.releaseSync();
  };
  #closing: Promise<void> | undefined;

  private constructor() {
    process.once("exit", this.#releaseSync);
  }

  /** Claims every endpoint in order; a failure gives back those before it and rejects. */
  static async claim(endpoints: readonly Endpoint[]): Promise<ListenerManager> {
    const manager = new ListenerManager();
    try {
      for (const endpoint of endpoints) manager.#listeners.push(await claimEndpoint(endpoint));
    } catch (error) {
      await manager.close();
      throw error;
    }
    return manager;
  }

  /** Closes what a claim comes to that nobody wants any more; when it takes long, that is not waited for. */
  static async giveBack(claim: Promise<ListenerManager>): Promise<void> {
    const givenBack = claim.then((late) => late.close()).catch(() => {});
    await settledWithin(givenBack, GIVE_BACK_MS);
  }

  /** In the order of the endpoints; what `reclaim` replaces is replaced in this very array. */
  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  /** Dead socket files that were replaced. */
  get staleRemoved(): number {
    return this.#staleRemoved;
  }

  /**
   * Sends a request through every socket, and only when all were answered makes them reachable.
   * Rejects at the first that fails; what was published is taken away by `close`.
   */
  async publish(check: EndToEndCheck, signal: AbortSignal): Promise<readonly Listener[]> {
    for (const listener of this.listeners) await check(listener.connectTarget, signal);
    const replaced: Listener[] = [];
    for (const listener of this.listeners) {
      if ((await listener.publish()).replacedStale) replaced.push(listener);
    }
    this.#staleRemoved += replaced.length;
    return replaced;
  }

  /**
   * Gives up a listener that no name leads to any more and claims its endpoint again. Rejects when
   * that is not free; call again with the same listener to try again, which until then stays in its
   * place, closed. Rejects, too, once `close` has begun.
   */
  async reclaim(lost: Listener): Promise<Listener> {
    await lost.close("the socket file is gone; the socket is being bound anew");
    const listener = await this.#claimAgain(lost);
    this.#listeners.splice(this.#listeners.indexOf(lost), 1, listener);
    return listener;
  }

  /** Looks after the published names until `close`, and tells of every change. */
  startGuard(onEvent: (event: GuardEvent) => void): void {
    const look = async (): Promise<void> => {
      for (const listener of this.listeners) {
        const finding = await listener.guard();
        if (Object.values(finding).includes(true)) onEvent({ listener, finding });
      }
    };
    // Not inotify: it is missing in some sandboxes, and one lstat a second costs nothing.
    const timer = setInterval(() => void look(), GUARD_INTERVAL_MS).unref();
    this.#stopGuard = () => clearInterval(timer);
  }

  /** Takes every public name away; connections that already queue can still be accepted. */
  async withdraw(): Promise<void> {
    this.#stopGuard?.();
    for (const listener of this.listeners.toReversed()) await listener.withdraw();
  }

  /** Lets go of our copies of the sockets; what is left of them goes with `close`. */
  letGo(): void {
    for (const listener of this.#listeners) listener.letGo();
  }

  /** Closes everything in reverse order. Idempotent. */
  close(): Promise<void> {
    this.#stopGuard?.();
    this.#closing ??= closeInReverse(this.listeners).finally(() => {
      process.off("exit", this.#releaseSync);
    });
    return this.#closing;
  }

  async #claimAgain(lost: Listener): Promise<Listener> {
    this.#assertOpen(lost);
    try {
      const listener = await claimEndpoint(lost.endpoint);
      // A close that has begun meanwhile does not know of this one.
      if (this.#closing !== undefined) await listener.close();
      this.#assertOpen(lost);
      return listener;
    } catch (error) {
      const { message } = describeError(error);
      await lost.close(`the socket file is gone and the socket cannot be bound anew: ${message}`);
      throw error;
    }
  }

  #assertOpen({ address }: Listener): void {
    if (this.#closing === undefined) return;
    throw new OutriggerError("ERR_STATE", `Cannot bind ${address} anew: its service is closing`);
  }
}

function claimEndpoint(endpoint: Endpoint): Promise<Listener> {
  switch (endpoint.kind) {
    case "unix":
      return UnixListener.claim(endpoint);
    case "abstract":
      return claimAbstract(endpoint);
    case "tcp":
      return claimTcp(endpoint);
  }
}

/** Closes every one, also when one of them fails; then rejects with the first failure. */
async function closeInReverse(listeners: readonly Listener[]): Promise<void> {
  const failures: unknown[] = [];
  for (const listener of listeners.toReversed()) {
    await listener.close().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
