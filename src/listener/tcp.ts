import { lookup } from "node:dns/promises";
import { isIP, type BoundSocket } from "node:net";
import type { TcpEndpoint } from "../config/config.ts";
import { errnoOf, type OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import { bindTcp } from "./bind.ts";
import { refuse } from "./refuse.ts";
import { FilelessListener } from "./fileless.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "the address is already in use; stop the process that holds it, or choose another port",
  EACCES:
    "no permission to bind it; ports below 1024 need CAP_NET_BIND_SERVICE, so choose a higher one",
  EADDRNOTAVAIL: "no interface of this machine has that address; use 0.0.0.0 or [::] for every one",
  EAFNOSUPPORT: "this machine does not speak that address family; use an IPv4 address",
};

/** Binds a TCP address; rejects with `ERR_LISTEN` when that cannot be done. It is reachable once a worker listens. */
export async function claimTcp(endpoint: TcpEndpoint): Promise<FilelessListener<TcpEndpoint>> {
  const asked = formatHostPort(endpoint);
  const host = await resolveHost(endpoint.host, asked);
  try {
    return listenerOf(endpoint, bindTcp(host, endpoint.port));
  } catch (error) {
    throw refuseAddress(asked, error);
  }
}

/** With the address and port that were bound. */
function listenerOf(endpoint: TcpEndpoint, socket: BoundSocket): FilelessListener<TcpEndpoint> {
  const { address: host, port } = socket.address();
  return new FilelessListener({
    endpoint: { ...endpoint, host, port },
    socket,
    address: formatHostPort({ host, port }),
    connectTarget: { host: reachableHost(host), port },
    kernelName: undefined,
  });
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
export function reachableHost(address: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  return address === "::" ? "::1" : address;
}
