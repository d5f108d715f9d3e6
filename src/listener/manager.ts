import type { Endpoint } from "../config/config.ts";
import { describeError, errnoOf, OutriggerError } from "../errors.ts";
import { settledWithin } from "../lifecycle/deadline.ts";
import { claimAbstract } from "./abstract.ts";
import { AdoptedListener } from "./adopted.ts";
import { changeHands, type Handover } from "./change-hands.ts";
import { Incumbent, type TakeoverTerms } from "./incumbent.ts";
import type { EndToEndCheck, GuardFinding, Listener } from "./listener.ts";
import type { Lock } from "./lock.ts";
import { joinLocks, type Predecessor } from "./succession.ts";
import { claimTcp } from "./tcp.ts";
import { UnixListener } from "./unix.ts";

/** How often the guard looks at the socket files. */
const GUARD_INTERVAL_MS = 1_000;
/** How long to wait for a claim that is not wanted any more: a name to look up may take longer. */
const GIVE_BACK_MS = 2_000;
/** How long answers through the public names may take; the predecessor waits for them. */
const VERIFY_WITHIN_MS = 2_000;

export interface GuardEvent {
  readonly listener: Listener;
  readonly finding: GuardFinding;
}

/** Owns every socket the app is served on: claims all of them or none, and closes each exactly once. */
export class ListenerManager {
  readonly #listeners: Listener[] = [];
  readonly #incumbent = new Incumbent(() => this.#listeners);
  #predecessor: Predecessor | undefined;
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
    return await ListenerManager.#claim(endpoints, () => Promise.resolve(new Map()));
  }

  /**
   * Claims every endpoint, and stands in line behind a live Outrigger for those paths it has;
   * `publish` takes them over. Rejects before anything is bound when that is not possible.
   */
  static async claimFromLive(endpoints: readonly Endpoint[]): Promise<ListenerManager> {
    const paths = endpoints.filter((endpoint) => endpoint.kind === "unix");
    try {
      return await ListenerManager.#claim(endpoints, async (manager) => {
        const { locks, predecessor } = await joinLocks(paths, manager.#incumbent);
        manager.#predecessor = predecessor;
        return locks;
      });
    } catch (error) {
      if (!(error instanceof OutriggerError) || errnoOf(error.cause) !== "EADDRINUSE") throw error;
      const message = `${error.message}; a takeover moves Unix socket paths only`;
      throw new OutriggerError(error.code, message, { cause: error.cause });
    }
  }

  static async #claim(
    endpoints: readonly Endpoint[],
    takeLocks: (manager: ListenerManager) => Promise<ReadonlyMap<string, Lock>>,
  ): Promise<ListenerManager> {
    const manager = new ListenerManager();
    const locks = new Map<string, Lock>();
    try {
      for (const [path, lock] of await takeLocks(manager)) locks.set(path, lock);
      for (const endpoint of endpoints) {
        const lock = endpoint.kind === "unix" ? locks.get(endpoint.path) : undefined;
        if (endpoint.kind === "unix") locks.delete(endpoint.path);
        manager.#listeners.push(await claimEndpoint(endpoint, manager.#incumbent, lock));
      }
    } catch (error) {
      for (const lock of locks.values()) lock.release();
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

  /** The live Outrigger that is to be taken over. */
  get predecessor(): Predecessor | undefined {
    return this.#predecessor;
  }

  /** From now on another Outrigger may take everything over. */
  offer(terms: TakeoverTerms): void {
    this.#incumbent.serve(terms);
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
   * Sends a request through every socket that we can connect to, and only when all were answered makes them reachable; those
   * that a live Outrigger has are left to `succeed`. Rejects at the first that fails; what was
   * published is taken away by `close`.
   */
  async publish(check: EndToEndCheck, signal: AbortSignal): Promise<readonly Listener[]> {
    for (const { connectTarget, endpoint } of this.listeners) {
      // Where a socket was handed over, others may accept on it, too, and be the ones that answer.
      const wanted = endpoint.kind === "handed" ? "accepted" : undefined;
      if (connectTarget !== undefined) await check(connectTarget, signal, wanted);
    }
    const replaced: Listener[] = [];
    for (const listener of this.listeners) {
      if (isHeir(listener)) continue;
      if ((await listener.publish()).replacedStale) replaced.push(listener);
    }
    this.#staleRemoved += replaced.length;
    return replaced;
  }

  /**
   * Takes the paths over that a live Outrigger has, with its ops port if that is wanted; undefined
   * when there is none. Rejects with all of them given back.
   */
  async succeed(
    check: EndToEndCheck,
    { wantsOps }: { readonly wantsOps: boolean },
  ): Promise<Handover | undefined> {
    if (this.#predecessor === undefined) return undefined;
    const heirs = this.#listeners.filter(isHeir);
    return await changeHands({
      heirs,
      predecessor: this.#predecessor,
      wantsOps,
      verify: async () => {
        const signal = AbortSignal.timeout(VERIFY_WITHIN_MS);
        for (const { endpoint } of heirs) await check({ path: endpoint.path }, signal);
      },
    });
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
    this.#incumbent.drain();
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
      const listener = await claimEndpoint(lost.endpoint, this.#incumbent);
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

function claimEndpoint(endpoint: Endpoint, talk: Incumbent, lock?: Lock): Promise<Listener> {
  switch (endpoint.kind) {
    case "unix":
      return lock === undefined
        ? UnixListener.claim(endpoint, talk)
        : UnixListener.claimWith(endpoint, lock);
    case "abstract":
      return claimAbstract(endpoint);
    case "tcp":
      return claimTcp(endpoint);
    case "handed":
      return AdoptedListener.adopt(endpoint);
  }
}

/** Whether it is to take its path from a live Outrigger. */
function isHeir(listener: Listener): listener is UnixListener {
  return listener instanceof UnixListener && listener.lock.isNext;
}

/** Closes every one, also when one of them fails; then rejects with the first failure. */
async function closeInReverse(listeners: readonly Listener[]): Promise<void> {
  const failures: unknown[] = [];
  for (const listener of listeners.toReversed()) {
    await listener.close().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
