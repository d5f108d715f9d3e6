import type { BoundSocket } from "node:net";
import type { AbstractEndpoint } from "../config/config.ts";
import { errnoOf } from "../errors.ts";
import { bindPath } from "./bind.ts";
import { refuse } from "./claim.ts";
import {
  NOTHING_FOUND,
  type ConnectTarget,
  type GuardFinding,
  type Listener,
  type Published,
} from "./listener.ts";

/** A Linux abstract socket: a name without a file, which dies with its owner. */
export class AbstractListener implements Listener {
  readonly endpoint: AbstractEndpoint;
  readonly socket: BoundSocket;
  #problem: string | undefined = "not published yet";

  private constructor(endpoint: AbstractEndpoint, socket: BoundSocket) {
    this.endpoint = endpoint;
    this.socket = socket;
  }

  /** Binds the name; rejects with `ERR_LISTEN` when another process has it. */
  static async claim(endpoint: AbstractEndpoint): Promise<AbstractListener> {
    try {
      return new AbstractListener(endpoint, bindPath(`\0${endpoint.abstractName}`));
    } catch (error) {
      const code = errnoOf(error) ?? "unknown error";
      const reason =
        code === "EADDRINUSE"
          ? "a live process has that abstract name; stop that one first, or choose another name"
          : `bind failed with ${code}`;
      throw refuse(`@${endpoint.abstractName}`, reason, error);
    }
  }

  get address(): string {
    return `@${this.endpoint.abstractName}`;
  }

  get kernelName(): string {
    return this.address;
  }

  get connectTarget(): ConnectTarget {
    return { path: `\0${this.endpoint.abstractName}` };
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  async publish(): Promise<Published> {
    this.#problem = undefined;
    return { replacedStale: false };
  }

  async guard(): Promise<GuardFinding> {
    return NOTHING_FOUND;
  }

  async withdraw(): Promise<void> {
    this.#problem = "withdrawn";
  }

  letGo(): void {
    this.socket[Symbol.dispose]();
  }

  async close(problem?: string): Promise<void> {
    if (problem !== undefined) this.#problem = problem;
    this.socket[Symbol.dispose]();
  }

  releaseSync(): void {}
}
