import { lookup } from "node:dns/promises";
import { isIP, type BoundSocket } from "node:net";
import type { TcpEndpoint } from "../config/config.ts";
import { errnoOf, type OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import { bindTcp } from "./bind.ts";
import { refuse } from "./claim.ts";
import {
  NOTHING_FOUND,
  type ConnectTarget,
  type GuardFinding,
  type Listener,
  type Published,
} from "./listener.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "the address is already in use; stop the process that holds it, or choose another port",
  EACCES:
    "no permission to bind it; ports below 1024 need CAP_NET_BIND_SERVICE, so choose a higher one",
  EADDRNOTAVAIL: "no interface of this machine has that address; use 0.0.0.0 or [::] for every one",
  EAFNOSUPPORT: "this machine does not speak that address family; use an IPv4 address",
};

/** A TCP address. It has no name to publish: it is reachable once a worker listens. */
export class TcpListener implements Listener {
  /** With the address and port that were bound. */
  readonly endpoint: TcpEndpoint;
  readonly socket: BoundSocket;
  readonly address: string;
  readonly connectTarget: ConnectTarget;
  readonly kernelName: undefined;
  #problem: string | undefined = "not published yet";

  private constructor(endpoint: TcpEndpoint, socket: BoundSocket) {
    const { address, port } = socket.address();
    this.endpoint = { ...endpoint, host: address, port };
    this.socket = socket;
    this.address = formatHostPort({ host: address, port });
    this.connectTarget = { host: reachableHost(address), port };
  }

  /** Binds the address; rejects with `ERR_LISTEN` when that cannot be done. */
  static async claim(endpoint: TcpEndpoint): Promise<TcpListener> {
    const asked = formatHostPort(endpoint);
    const host = await resolveHost(endpoint.host, asked);
    try {
      return new TcpListener(endpoint, bindTcp(host, endpoint.port));
    } catch (error) {
      throw refuseAddress(asked, error);
    }
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

/**
 * An error for an address we cannot have. Of two processes that bind it at once both succeed, and
 * the second to listen fails: so a worker may need this too.
 */
export function refuseAddress(address: string, error: unknown): OutriggerError {
  const code = errnoOf(error) ?? "unknown error";
  return refuse(address, REASONS[code] ?? `the system answers ${code}`, error);
}

async function resolveHost(host: string, asked: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw refuse(
      asked,
      `host "${host}" has no address (${errnoOf(error)}); give a numeric one`,
      error,
    );
  }
}

/** An address that stands for every interface is reached through loopback. */
function reachableHost(address: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  return address === "::" ? "::1" : address;
}
