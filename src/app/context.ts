import type { IncomingMessage } from "node:http";
import { isIPv6, type Socket } from "node:net";
import { readRequestHeaders } from "./request-headers.ts";
import { findClient, type Client, type TrustedProxies } from "./forwarded.ts";

const ENDPOINT: unique symbol = Symbol.for("outrigger.endpoint");

/** Where a request came in. */
export interface EndpointContext {
  /** Name of the endpoint. */
  readonly name: string;
  readonly server: ServerAddress;
  readonly trusted: TrustedProxies;
}

/** Our side of the connection. */
export type ServerAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** What an app may know of a request beyond the request itself. */
export interface RequestContext {
  /** Name of the endpoint it came in on. */
  readonly endpoint: string;
  readonly server: ServerAddress;
  /** Who sent it: the address a trusted proxy names, else the peer's; absent for a Unix socket without one. */
  readonly client?: Client;
}

/** Makes the context of a request. */
export type ContextFactory = (request: IncomingMessage) => RequestContext;

/** Notes on a connection which endpoint it belongs to. */
export function assignEndpoint(socket: Socket, endpoint: EndpointContext): void {
  Object.assign(socket, { [ENDPOINT]: endpoint });
  // Node keeps what it was asked for once; when the connection has closed, the kernel cannot tell any more.
  void socket.remoteAddress;
}

/** Makes a connection one of whom its proxy says it is: in `context`, the access log, and wherever an app looks. */
export function assignPeer(socket: Socket, { address, port }: Required<Client>): void {
  Object.defineProperties(socket, {
    remoteAddress: { value: address },
    remotePort: { value: port },
    remoteFamily: { value: isIPv6(address) ? "IPv6" : "IPv4" },
  });
}

/** Name of the endpoint a request came in on; undefined for one that Outrigger does not serve. */
export function endpointOf({ socket }: IncomingMessage): string | undefined {
  const endpoint: EndpointContext | undefined = Reflect.get(socket, ENDPOINT);
  return endpoint?.name;
}

/**
 * The context of a request that Outrigger serves; for `(req, res)` apps, whose handlers are not
 * given it.
 *
 * @throws {TypeError} When the request came from another server.
 */
export function getContext(request: IncomingMessage): RequestContext {
  const { socket } = request;
  // The property is shared by name: an app may have an outrigger of its own in node_modules.
  const endpoint: EndpointContext | undefined = Reflect.get(socket, ENDPOINT);
  if (endpoint === undefined)
    throw new TypeError("Cannot get the context of a request that Outrigger does not serve");
  const client = findClient({
    headers: readRequestHeaders(request.rawHeaders),
    peer: socket,
    trusted: endpoint.trusted,
  });
  return {
    endpoint: endpoint.name,
    server: endpoint.server,
    ...(client === undefined ? {} : { client }),
  };
}
