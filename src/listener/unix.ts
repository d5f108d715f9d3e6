import { unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { BoundSocket } from "node:net";
import type { UnixEndpoint } from "../config/config.ts";
import { Turns } from "../lifecycle/turns.ts";
import { checkDirectory, hasDirectory, inspectPath } from "./inspect-path.ts";
import { privateNamesOfPublished, sweepPrivateNames } from "./private-files.ts";
import { cannotTake, refuse } from "./refuse.ts";
import { isAt, isAtSync, type FileIdentity } from "./file-identity.ts";
import {
  NOTHING_FOUND,
  type ConnectTarget,
  type GuardFinding,
  type Listener,
  type Published,
} from "./listener.ts";
import { acquireLock, Lock, tellPid, type LockTalk } from "./lock.ts";
import { bindPrivately, type PrivateSocket } from "./private-socket.ts";
import { NO_NAME_LEFT, PublicName } from "./public-name.ts";

const ALREADY_PUBLISHED = Promise.resolve<Published>({ replacedStale: false });

/**
 * A Unix socket with a name in the file system.
 *
 * The socket is bound under a private name beside the public one and keeps that name for life, so
 * that libuv, which unlinks by name on close, can only ever remove what is ours. Publishing adds
 * the public name as a second link to the same socket: it appears at once, complete, with its mode.
 */
export class UnixListener implements Listener {
  readonly endpoint: UnixEndpoint;
  readonly socket: BoundSocket;
  /** The lock of the path, or our place in line for it. */
  readonly lock: Lock;
  readonly #privatePath: string;
  readonly #identity: FileIdentity;
  readonly #name: PublicName;
  /** One change of the public name at a time: a guard must never put back what a withdrawal takes away. */
  readonly #turns = new Turns();
  #problem: string | undefined = "not published yet";
  #isPublished = false;
  /** Private name of the socket we took the public one from. */
  #predecessor: string | undefined;

  private constructor(endpoint: UnixEndpoint, lock: Lock, bound: PrivateSocket) {
    this.endpoint = endpoint;
    this.lock = lock;
    this.socket = bound.socket;
    this.#privatePath = bound.path;
    this.#identity = bound.identity;
    this.#name = new PublicName({
      path: endpoint.path,
      privatePath: bound.path,
      identity: bound.identity,
    });
  }

  /**
   * Claims a path without publishing it: lock, inspection, private name, mode and group.
   * Rejects with `ERR_LISTEN`, and leaves nothing behind, when the path is not free to take.
   */
  static async claim(endpoint: UnixEndpoint, talk?: LockTalk): Promise<UnixListener> {
    await checkDirectory(endpoint.path);
    const lock = await acquireLock(endpoint.path, talk);
    if (lock instanceof Lock) return await UnixListener.claimWith(endpoint, lock);
    throw refuse(
      endpoint.path,
      `another process holds its lock (${tellPid(lock)}); stop that outrigger first, or choose another path`,
    );
  }

  /** Claims a path whose lock we have, or stand in line for; it is released whatever comes. */
  static async claimWith(endpoint: UnixEndpoint, lock: Lock): Promise<UnixListener> {
    try {
      if (!lock.isNext) {
        await inspectPath(endpoint.path);
        await sweepPrivateNames(endpoint.path);
      }
      return new UnixListener(endpoint, lock, await bindPrivately(endpoint));
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get address(): string {
    return this.endpoint.path;
  }

  get kernelName(): string {
    return this.#privatePath;
  }

  get connectTarget(): ConnectTarget {
    return { path: this.#privatePath };
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  publish(): Promise<Published> {
    return this.#turns.take(() => (this.#isPublished ? ALREADY_PUBLISHED : this.#publish()));
  }

  guard(): Promise<GuardFinding> {
    return this.#turns.take(() => this.#guard());
  }

  withdraw(): Promise<void> {
    return this.#turns.take(() => this.#withdraw());
  }

  letGo(): void {
    this.socket[Symbol.dispose]();
  }

  async close(problem?: string): Promise<void> {
    try {
      await this.withdraw();
      if (problem !== undefined) this.#problem = problem;
      if (await isAt(this.#privatePath, this.#identity)) {
        await rm(this.#privatePath, { force: true });
      }
      // What lies beside a path is for the one to sweep who has its lock.
      if (this.lock.isOurs) await sweepPrivateNames(this.endpoint.path);
    } finally {
      this.socket[Symbol.dispose]();
      this.lock.release();
    }
  }

  releaseSync(): void {
    for (const path of [this.endpoint.path, this.#privatePath]) {
      if (isAtSync(path, this.#identity)) unlinkSync(path);
    }
  }

  /** Takes the lock from our place in line; false when somebody has it still. */
  async settle(): Promise<boolean> {
    if (!(await this.lock.take())) return false;
    await sweepPrivateNames(this.endpoint.path, this.#privatePath);
    return true;
  }

  /** Takes the public name from the live Outrigger that has the lock; once it is ours, it stays so. */
  takeOver(): Promise<void> {
    return this.#turns.take(async () => {
      if (this.#isPublished) return;
      this.#predecessor = await this.#name.takeFromLive().catch((error: unknown) => {
        throw cannotTake(this.endpoint.path, error);
      });
      this.#isPublished = true;
      this.#problem = undefined;
    });
  }

  /** Gives the public name back to whom it was taken from. */
  undoTakeOver(): Promise<void> {
    return this.#turns.take(async () => {
      if (!this.#isPublished || this.#predecessor === undefined) return;
      this.#isPublished = false;
      this.#problem = "given back";
      await this.#name.giveBack(this.#predecessor);
    });
  }

  /** Leaves the public name as it is until the returned function is called. */
  hold(): Promise<() => void> {
    return this.#turns.hold();
  }

  /** Whether the public name leads to a live socket of somebody else; call while it is held. */
  isSucceeded(): Promise<boolean> {
    return this.#name.isOfLiveOther();
  }

  /** From now on the path is somebody else's, and so is its lock; call while it is held. */
  handOver(): void {
    this.#isPublished = false;
    this.#problem = "taken over by another outrigger";
    this.lock.release();
  }

  /**
   * Takes the public name back from a successor that died over it, and leaves everybody else alone;
   * resolves to whether that was necessary and possible. Call while it is held.
   */
  async recover(): Promise<boolean> {
    if (!this.#isPublished || (await this.#name.isOurs())) return false;
    if ((await this.lock.waitInLine()) !== undefined) return false;
    try {
      await this.#publish();
      return true;
    } catch {
      return false;
    } finally {
      this.lock.leaveLine();
    }
  }

  async #publish(): Promise<Published> {
    const { path } = this.endpoint;
    const finding = await inspectPath(path);
    const replaced = await privateNamesOfPublished(path);
    try {
      await this.#name.take(finding);
    } catch (error) {
      throw cannotTake(path, error);
    }
    this.#isPublished = true;
    this.#problem = undefined;
    for (const name of replaced) if (name !== this.#privatePath) await rm(name, { force: true });
    await sweepPrivateNames(path, this.#privatePath);
    return { replacedStale: finding === "stale" };
  }

  async #guard(): Promise<GuardFinding> {
    if (!this.#isPublished) return NOTHING_FOUND;
    const wasFine = this.#problem === undefined;
    if (await this.#name.isOurs().catch(() => false)) {
      this.#problem = undefined;
      return { ...NOTHING_FOUND, isRestored: !wasFine };
    }
    this.#problem = await this.#name.putBack();
    return {
      isLost: wasFine,
      isRestored: this.#problem === undefined,
      isBeyondRepair: this.#problem === NO_NAME_LEFT && (await hasDirectory(this.endpoint.path)),
    };
  }

  async #withdraw(): Promise<void> {
    if (!this.#isPublished) return;
    this.#isPublished = false;
    this.#problem = "withdrawn";
    await this.#name.remove();
  }
}
