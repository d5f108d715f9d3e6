import type { Config, OpsEndpoint, TcpEndpoint, UnixEndpoint } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";

/** The endpoint nginx is to use: the first Unix socket, or else the first TCP address; rather one without TLS. */
export function chooseUpstream({ endpoints }: Config): UnixEndpoint | TcpEndpoint {
  const sockets = endpoints.filter((endpoint) => endpoint.kind === "unix");
  const addresses = endpoints.filter((endpoint) => endpoint.kind === "tcp");
  const candidates = [...sockets, ...addresses.filter(({ port }) => port > 0)];
  const chosen = candidates.find(({ tls }) => tls === undefined) ?? candidates[0];
  if (chosen !== undefined) return chosen;
  throw refuse("nginx needs a Unix socket with a path, or a TCP endpoint with a port");
}

/** The socket both containers are to share. */
export function requireSocket({ endpoints }: Config): UnixEndpoint {
  for (const endpoint of endpoints) if (endpoint.kind === "unix") return endpoint;
  throw refuse("it shares a Unix socket: add --socket /run/outrigger/app.sock");
}

/** The ops endpoint as probes of a pod reach it: on every interface unless an address was named. */
export function requireOps({ ops }: Config): OpsEndpoint {
  if (ops === undefined || ops.port === 0)
    throw refuse("probes need the ops endpoint: add --ops :9464");
  const isLocal = ops.host.startsWith("127.") || ops.host === "::1" || ops.host === "localhost";
  return isLocal ? { ...ops, host: "::" } : ops;
}

/** Writes a TCP address the short way: `:9464` where the host stands for every one. */
export function formatShort(address: OpsEndpoint): string {
  return address.host === "::" ? `:${address.port}` : formatHostPort(address);
}

function refuse(reason: string): OutriggerError {
  return new OutriggerError("ERR_USAGE", `Cannot print this snippet: ${reason}`);
}
