import { link, rename, rm } from "node:fs/promises";
import { errnoOf } from "../errors.ts";
import type { PathFinding } from "./inspect-path.ts";
import { chooseFreePrivatePath, privateNamesOfPublished } from "./private-files.ts";
import { refuse } from "./refuse.ts";
import { isAt, statPath, type FileIdentity } from "./file-identity.ts";
import { testLiveness } from "./live-test.ts";

/** Why the name cannot be put back although its place is free. */
export const NO_NAME_LEFT = "the socket file was removed together with our own name for it";

export interface PublicNameOptions {
  readonly path: string;
  /** The other name of the socket. */
  readonly privatePath: string;
  /** The socket itself. */
  readonly identity: FileIdentity;
}

/** The name by which others find a socket: a second link to it, which is never missing while it is replaced. */
export class PublicName {
  readonly #options: PublicNameOptions;

  constructor(options: PublicNameOptions) {
    this.#options = options;
  }

  /** Whether the file of that name is our socket. */
  isOurs(): Promise<boolean> {
    return isAt(this.#options.path, this.#options.identity);
  }

  /** Whether it leads to a live socket of somebody else. */
  async isOfLiveOther(): Promise<boolean> {
    const { path } = this.#options;
    const stats = await statPath(path);
    if (!stats?.isSocket() || (await this.isOurs())) return false;
    return (await testLiveness(path)).state === "alive";
  }

  /** Takes the name where nothing is, or a dead socket. */
  async take(finding: PathFinding): Promise<void> {
    const { path, privatePath } = this.#options;
    // Unlike rename, link never replaces: what has come since the inspection stays.
    if (finding === "free") await link(privatePath, path);
    else await this.#replaceWith(privatePath);
  }

  /**
   * Takes the name from the live Outrigger that published it; resolves to its private name, which
   * gives it back. Where nothing is the name is taken, and there is nothing to give back.
   */
  async takeFromLive(): Promise<string | undefined> {
    const { path, privatePath } = this.#options;
    if ((await statPath(path)) === undefined) {
      await link(privatePath, path);
      return undefined;
    }
    const [theirs] = await privateNamesOfPublished(path);
    if (theirs === undefined) {
      throw refuse(path, "what is there now is not the socket of the outrigger to take over from");
    }
    await this.#replaceWith(privatePath);
    return theirs;
  }

  /** Gives the name back to the socket with this private name. */
  async giveBack(theirs: string): Promise<void> {
    if (await this.isOurs()) await this.#replaceWith(theirs);
  }

  /** Gives the socket its name again where that is free; otherwise says why not. */
  async putBack(): Promise<string | undefined> {
    try {
      // Whatever stands there stays.
      await link(this.#options.privatePath, this.#options.path);
      return undefined;
    } catch (error) {
      const code = errnoOf(error);
      if (code === "EEXIST") return "the socket file was replaced by another file";
      if (code === "ENOENT") return NO_NAME_LEFT;
      return `the socket file was removed and cannot be put back (${code ?? String(error)})`;
    }
  }

  /**
   * Removes the name if it is ours. It is moved aside and looked at again before it is removed:
   * between a look and an unlink another process could have put its own file there.
   */
  async remove(): Promise<void> {
    const { path, identity } = this.#options;
    if (!(await this.isOurs())) return;
    const aside = await chooseFreePrivatePath(path);
    try {
      await rename(path, aside);
      if (!(await isAt(aside, identity))) await link(aside, path);
      await rm(aside);
    } catch (error) {
      // Somebody was faster: what stands there now is theirs.
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "EEXIST") throw error;
    }
  }

  async #replaceWith(privatePath: string): Promise<void> {
    const { path } = this.#options;
    const staging = await chooseFreePrivatePath(path);
    await link(privatePath, staging);
    try {
      await rename(staging, path);
    } catch (error) {
      await rm(staging, { force: true });
      throw error;
    }
  }
}
