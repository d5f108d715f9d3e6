import { access, constants } from "node:fs/promises";
import type { BoundAddress, HandedEndpoint, HandedSocket } from "../config/config.ts";
import { formatAddress } from "../config/endpoint.ts";
import { refuse } from "./claim.ts";
import { DescriptorSocket } from "./descriptor-socket.ts";
import {
  NOTHING_FOUND,
  type ConnectTarget,
  type GuardFinding,
  type Listener,
  type Published,
} from "./listener.ts";
import { reachableHost } from "./tcp.ts";

/**
 * A socket that we were handed, listening. It is not ours: its file is neither made nor looked after
 * nor removed, and when we let go of it, whoever handed it over has it still, with its queue.
 */
export class AdoptedListener implements Listener {
  readonly endpoint: HandedEndpoint;
  readonly socket: DescriptorSocket;
  readonly connectTarget: ConnectTarget | undefined;
  readonly address: string;
  readonly kernelName: string | undefined;
  #problem: string | undefined = "not published yet";

  private constructor(
    endpoint: HandedEndpoint,
    { descriptor, bound }: HandedSocket,
    connectTarget: ConnectTarget | undefined,
  ) {
    this.endpoint = endpoint;
    this.connectTarget = connectTarget;
    this.socket = new DescriptorSocket(descriptor);
    this.address = formatAddress(bound);
    this.kernelName = bound.kind === "tcp" ? undefined : this.address;
  }

  /** Takes a socket that was found by `findHanded`. */
  static async adopt(endpoint: HandedEndpoint): Promise<AdoptedListener> {
    const { found } = endpoint;
    if (found === undefined) throw refuse(formatAddress(endpoint), "it was not looked for");
    return new AdoptedListener(endpoint, found, await findConnectTarget(found.bound));
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

/** Undefined where the socket is for others: its file may be of another user, or out of our sight. */
async function findConnectTarget(bound: BoundAddress): Promise<ConnectTarget | undefined> {
  switch (bound.kind) {
    case "tcp":
      return { host: reachableHost(bound.host), port: bound.port };
    case "abstract":
      return { path: `\0${bound.abstractName}` };
    case "unix": {
      const isReachable = await access(bound.path, constants.W_OK).then(
        () => true,
        () => false,
      );
      return isReachable ? { path: bound.path } : undefined;
    }
  }
}
