import type { IncomingMessage } from "node:http";
import { isIPv6, type Socket } from "node:net";
import { readRequestHeaders } from "./request-headers.ts";
import {
  findClient,
  findHost,
  findScheme,
  type Client,
  type Peer,
  type Scheme,
  type TrustedProxies,
} from "./forwarded.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { peerOf, showClients } from "./identity.ts";
import { requestIdOf } from "./request-id.ts";
import { parseTraceparent } from "./traceparent.ts";
import { tlsInfoOf, type TlsInfo } from "./tls-info.ts";

const ENDPOINT: unique symbol = Symbol.for("outrigger.endpoint");
const CONNECTION: unique symbol = Symbol.for("outrigger.connection");

/** Where a request came in. */
export interface EndpointContext {
  /** Name of the endpoint. */
  readonly name: string;
  readonly server: ServerAddress;
  /** Of what comes in here, unless a trusted proxy says otherwise. */
  readonly scheme: Scheme;
  readonly trusted: TrustedProxies;
  /** Aborts when this worker begins to drain. */
  readonly draining: AbortSignal;
  /** Pings the WebSockets that we accept. */
  readonly heartbeat: Pick<Heartbeat, "add">;
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
  /** What the client speaks: that of the endpoint, or what a trusted proxy says. */
  readonly scheme: Scheme;
  /** What the client asked for, with its port if that is not the usual one; absent where it named none. */
  readonly host?: string;
  /** What a trusted peer sent as `X-Request-Id`, else an id of ours; the access log has the same. */
  readonly requestId: string;
  /** The `traceparent` of the request; absent where it has none, or one that cannot be read. */
  readonly traceparent?: string;
  /** Who sent it: the address a trusted proxy names, else the peer's; absent for a Unix socket without one. */
  readonly client?: Client;
  /** How the connection to us is encrypted; absent where it is not. */
  readonly tls?: TlsInfo;
  /**
   * Aborts when this worker begins to drain: what would go on for longer than the grace period, such as a
   * stream of events, may end here.
   */
  readonly draining: AbortSignal;
}

/** A socket with what we noted on it. Read as a property: by `Reflect.get` it would be two per cent of a short request. */
interface NotedSocket extends Peer {
  [CONNECTION]?: Socket;
  [ENDPOINT]?: EndpointContext;
}

/** Makes the context of a request. */
export type ContextFactory = (request: IncomingMessage) => RequestContext;

/** Notes that a socket carries a request of another connection, such as one of many streams. */
export function carry(socket: object, connection: Socket): void {
  const noted: NotedSocket = socket;
  noted[CONNECTION] = connection;
}

/** The connection that a request came in on. */
export function connectionOf({ socket }: IncomingMessage): Socket {
  const noted: NotedSocket = socket;
  return noted[CONNECTION] ?? socket;
}

/** Notes on a connection which endpoint it belongs to. */
export function assignEndpoint(socket: Socket, endpoint: EndpointContext): void {
  const noted: NotedSocket = socket;
  noted[ENDPOINT] = endpoint;
  // Node keeps what it was asked for once; when the connection has closed, the kernel cannot tell any more.
  void socket.remoteAddress;
}

function endpointAt(connection: NotedSocket): EndpointContext | undefined {
  return connection[ENDPOINT];
}

/** Lets a connection that is about to be served name the clients its trusted peer speaks for. */
export function identify(socket: Socket): void {
  const noted: NotedSocket = socket;
  const endpoint = endpointAt(noted[CONNECTION] ?? socket);
  if (endpoint !== undefined) showClients(socket, endpoint.trusted);
}

/** Makes a connection one of whom its proxy says it is: in `context`, the access log, and wherever an app looks. */
export function assignPeer(socket: Socket, { address, port }: Required<Client>): void {
  Object.defineProperties(socket, {
    remoteAddress: { value: address, configurable: true },
    remotePort: { value: port, configurable: true },
    remoteFamily: { value: isIPv6(address) ? "IPv6" : "IPv4", configurable: true },
  });
}

/** Makes a connection one of whom the connection below it is. */
export function inheritPeer(socket: Socket, { remoteAddress, remotePort }: Socket): void {
  if (remoteAddress === undefined || remotePort === undefined) return;
  if (socket.remoteAddress === remoteAddress && socket.remotePort === remotePort) return;
  assignPeer(socket, { address: remoteAddress, port: remotePort });
}

/** Name of the endpoint a request came in on; undefined for one that Outrigger does not serve. */
export function endpointOf(request: IncomingMessage): string | undefined {
  const endpoint = endpointAt(connectionOf(request));
  return endpoint?.name;
}

/**
 * Where a request came in.
 *
 * @throws {TypeError} When it came from another server.
 */
export function endpointContextOf(request: IncomingMessage): EndpointContext {
  // The property is shared by name: an app may have an outrigger of its own in node_modules.
  const endpoint = endpointAt(connectionOf(request));
  if (endpoint !== undefined) return endpoint;
  throw new TypeError("Cannot get the context of a request that Outrigger does not serve");
}

/**
 * The context of a request that Outrigger serves; for `(req, res)` apps, whose handlers are not
 * given it.
 *
 * @throws {TypeError} When the request came from another server.
 */
export function getContext(request: IncomingMessage): RequestContext {
  const socket = connectionOf(request);
  const endpoint = endpointContextOf(request);
  const headers = readRequestHeaders(request.rawHeaders);
  const { traceparent } = headers;
  const forwarded = {
    headers,
    peer: peerOf(socket),
    trusted: endpoint.trusted,
  };
  const client = findClient(forwarded);
  const host = findHost(forwarded, request.headers.host);
  const tls = tlsInfoOf(socket);
  return {
    endpoint: endpoint.name,
    server: endpoint.server,
    scheme: findScheme(forwarded) ?? endpoint.scheme,
    draining: endpoint.draining,
    ...(host === undefined ? {} : { host }),
    // Made only for who asks.
    get requestId() {
      return requestIdOf(request);
    },
    ...(traceparent !== undefined && parseTraceparent(traceparent) ? { traceparent } : {}),
    ...(client === undefined ? {} : { client }),
    ...(tls === undefined ? {} : { tls }),
  };
}
