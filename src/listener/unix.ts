import { unlinkSync } from "node:fs";
import { link, rename, rm } from "node:fs/promises";
import type { BoundSocket } from "node:net";
import type { UnixEndpoint } from "../config/config.ts";
import { errnoOf, OutriggerError } from "../errors.ts";
import {
  checkDirectory,
  chooseFreePrivatePath,
  inspectPath,
  privateNamesOfPublished,
  refuse,
  sweepPrivateNames,
  type PathFinding,
} from "./claim.ts";
import { isAt, isAtSync, type FileIdentity } from "./identity.ts";
import {
  NOTHING_FOUND,
  type ConnectTarget,
  type GuardFinding,
  type Listener,
  type Published,
} from "./listener.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { bindPrivately, type PrivateSocket } from "./private-socket.ts";

const NO_NAME_LEFT = "the socket file was removed together with our own name for it";

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
  readonly #lock: Lock;
  readonly #privatePath: string;
  readonly #identity: FileIdentity;
  #problem: string | undefined = "not published yet";
  #isPublished = false;
  #turns: Promise<unknown> = Promise.resolve();

  private constructor(endpoint: UnixEndpoint, lock: Lock, bound: PrivateSocket) {
    this.endpoint = endpoint;
    this.#lock = lock;
    this.socket = bound.socket;
    this.#privatePath = bound.path;
    this.#identity = bound.identity;
  }

  /**
   * Claims a path without publishing it: lock, inspection, private name, mode and group.
   * Rejects with `ERR_LISTEN`, and leaves nothing behind, when the path is not free to take.
   */
  static async claim(endpoint: UnixEndpoint): Promise<UnixListener> {
    await checkDirectory(endpoint.path);
    const lock = await acquireLock(endpoint.path);
    if (!("release" in lock)) {
      const pid = lock.pid === undefined ? "which tells no pid" : `pid ${lock.pid}, as it says`;
      throw refuse(
        endpoint.path,
        `another process holds its lock (${pid}); stop that outrigger first, or choose another path`,
      );
    }
    try {
      await inspectPath(endpoint.path);
      await sweepPrivateNames(endpoint.path);
      return new UnixListener(endpoint, lock, await bindPrivately(endpoint));
    } catch (error) {
      await lock.release();
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
    return this.#inTurn(() => this.#publish());
  }

  guard(): Promise<GuardFinding> {
    return this.#inTurn(() => this.#guard());
  }

  withdraw(): Promise<void> {
    return this.#inTurn(() => this.#withdraw());
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
        await sweepPrivateNames(this.endpoint.path);
      }
    } finally {
      this.socket[Symbol.dispose]();
      await this.#lock.release();
    }
  }

  releaseSync(): void {
    for (const path of [this.endpoint.path, this.#privatePath]) {
      if (isAtSync(path, this.#identity)) unlinkSync(path);
    }
  }

  /** One change of the public name at a time: a guard must never put back what a withdrawal takes away. */
  #inTurn<Result>(step: () => Promise<Result>): Promise<Result> {
    const turn = this.#turns.then(step);
    this.#turns = turn.catch(() => {});
    return turn;
  }

  async #publish(): Promise<Published> {
    const { path } = this.endpoint;
    const finding = await inspectPath(path);
    const replaced = await privateNamesOfPublished(path);
    try {
      await this.#takePublicName(finding);
    } catch (error) {
      if (error instanceof OutriggerError) throw error;
      throw refuse(
        path,
        `cannot put the socket in its place (${errnoOf(error) ?? String(error)})`,
        error,
      );
    }
    this.#isPublished = true;
    this.#problem = undefined;
    for (const name of replaced) if (name !== this.#privatePath) await rm(name, { force: true });
    await sweepPrivateNames(path, this.#privatePath);
    return { replacedStale: finding === "stale" };
  }

  async #takePublicName(finding: PathFinding): Promise<void> {
    const { path } = this.endpoint;
    // Unlike rename, link never replaces: what has come since the inspection stays.
    if (finding === "free") return await link(this.#privatePath, path);
    const staging = await chooseFreePrivatePath(path);
    await link(this.#privatePath, staging);
    try {
      await rename(staging, path);
    } catch (error) {
      await rm(staging, { force: true });
      throw error;
    }
  }

  async #guard(): Promise<GuardFinding> {
    if (!this.#isPublished) return NOTHING_FOUND;
    const wasFine = this.#problem === undefined;
    if (await isAt(this.endpoint.path, this.#identity).catch(() => false)) {
      this.#problem = undefined;
      return { ...NOTHING_FOUND, isRestored: !wasFine };
    }
    this.#problem = await this.#putBack();
    return {
      isLost: wasFine,
      isRestored: this.#problem === undefined,
      isBeyondRepair: this.#problem === NO_NAME_LEFT && (await this.#hasDirectory()),
    };
  }

  async #hasDirectory(): Promise<boolean> {
    return await checkDirectory(this.endpoint.path).then(
      () => true,
      () => false,
    );
  }

  async #withdraw(): Promise<void> {
    if (!this.#isPublished) return;
    this.#isPublished = false;
    this.#problem = "withdrawn";
    await this.#removePublicName();
  }

  /** Gives the socket its public name again where that is free; otherwise says why not. */
  async #putBack(): Promise<string | undefined> {
    try {
      // Whatever stands there stays.
      await link(this.#privatePath, this.endpoint.path);
      return undefined;
    } catch (error) {
      const code = errnoOf(error);
      if (code === "EEXIST") return "the socket file was replaced by another file";
      if (code === "ENOENT") return NO_NAME_LEFT;
      return `the socket file was removed and cannot be put back (${code ?? String(error)})`;
    }
  }

  /**
   * Removes the public name if it is ours. It is moved aside and looked at again before it is
   * removed: between a look and an unlink another process could have put its own file there.
   */
  async #removePublicName(): Promise<void> {
    const { path } = this.endpoint;
    if (!(await isAt(path, this.#identity))) return;
    const aside = await chooseFreePrivatePath(path);
    try {
      await rename(path, aside);
      if (!(await isAt(aside, this.#identity))) await link(aside, path);
      await rm(aside);
    } catch (error) {
      // Somebody was faster: what stands there now is theirs.
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "EEXIST") throw error;
    }
  }
}
