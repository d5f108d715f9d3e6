import type { AbstractEndpoint, HandedEndpoint, TcpEndpoint } from "../config/config.ts";
import {
  NOTHING_FOUND,
  type ConnectTarget,
  type GuardFinding,
  type Listener,
  type Published,
} from "./listener.ts";

type FilelessEndpoint = TcpEndpoint | AbstractEndpoint | HandedEndpoint;

/** What a socket without a file of ours is called, from every side. */
export interface FilelessOptions<E extends FilelessEndpoint> {
  /** As it was bound. */
  readonly endpoint: E;
  readonly socket: Listener["socket"];
  readonly address: string;
  readonly connectTarget: ConnectTarget | undefined;
  readonly kernelName: string | undefined;
}

/** A bound socket that no file of ours leads to: there is nothing to publish, to guard or to remove. */
export class FilelessListener<E extends FilelessEndpoint> implements Listener {
  readonly endpoint: E;
  readonly socket: Listener["socket"];
  readonly address: string;
  readonly connectTarget: ConnectTarget | undefined;
  readonly kernelName: string | undefined;
  #problem: string | undefined = "not published yet";

  constructor(options: FilelessOptions<E>) {
    this.endpoint = options.endpoint;
    this.socket = options.socket;
    this.address = options.address;
    this.connectTarget = options.connectTarget;
    this.kernelName = options.kernelName;
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
