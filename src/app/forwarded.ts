import { BlockList, isIP } from "node:net";

const HIGHEST_PORT = 65_535;

/** Who sent a request. */
export interface Client {
  readonly address: string;
  /** Absent where a proxy names only the address. */
  readonly port?: number;
}

/** Whose forwarded headers are believed. */
export interface TrustedProxies {
  isTrusted(peer: Peer): boolean;
}

/** The two facts of a connection that matter here; both are undefined on a Unix socket. */
export interface Peer {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** Compiles a list of `unix`, addresses and CIDR ranges. */
export function createTrustedProxies(list: readonly string[]): TrustedProxies {
  const ranges = new BlockList();
  for (const entry of list) {
    if (entry === "unix") continue;
    const [address = "", bits] = entry.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) ranges.addAddress(address, family);
    else ranges.addSubnet(address, Number(bits), family);
  }
  const isUnixTrusted = list.includes("unix");
  return {
    isTrusted({ remoteAddress }) {
      if (remoteAddress === undefined) return isUnixTrusted;
      return (
        isIP(remoteAddress) !== 0 &&
        ranges.check(remoteAddress, isIP(remoteAddress) === 6 ? "ipv6" : "ipv4")
      );
    },
  };
}

/** Values of the headers that proxies write. */
export interface ForwardedHeaders {
  /** `X-Forwarded-For`. */
  readonly forwardedFor: string | undefined;
  /** `Forwarded` (RFC 7239). */
  readonly forwarded: string | undefined;
  /** `X-Forwarded-Proto`; only `findScheme` looks at it. */
  readonly forwardedProto?: string | undefined;
  /** `X-Forwarded-Host` and `X-Forwarded-Port`; only `findHost` looks at the values. */
  readonly forwardedHost?: string | undefined;
  readonly forwardedPort?: string | undefined;
}

/** What a client speaks. */
export type Scheme = "http" | "https";

export interface ForwardedRequest {
  readonly headers: ForwardedHeaders;
  readonly peer: Peer;
  readonly trusted: TrustedProxies;
}

/**
 * Finds the client of a request: from the peer leftwards through the hops that proxies noted down,
 * and the first that is not a trusted proxy is the client. Undefined when nobody named one.
 *
 * `X-Forwarded-For` is read before `Forwarded` (RFC 7239), because nginx appends to the first and
 * passes on the second as the client sent it.
 */
export function findClient({ headers, peer, trusted }: ForwardedRequest): Client | undefined {
  const client = peerOf(peer);
  const isNamed = headers.forwardedFor !== undefined || headers.forwarded !== undefined;
  if (!isNamed || !trusted.isTrusted(peer)) return client;
  return walk(readHops(headers), trusted).client ?? client;
}

/**
 * Finds what the client of a request speaks, by the hop that names it; undefined when no trusted proxy
 * says so. Where `X-Forwarded-Proto` has not a value for each hop of `X-Forwarded-For`, the last counts,
 * which our own proxy has written. `Forwarded` is read only where there is neither.
 */
export function findScheme(request: ForwardedRequest): Scheme | undefined {
  return parseScheme(findValue(request, "proto") ?? "");
}

/**
 * Finds the host that the client of a request asked for, in the same way: what a trusted proxy names,
 * else `own`, the `Host` of the request. `X-Forwarded-Port` is added where the host has no port.
 */
export function findHost(request: ForwardedRequest, own: string | undefined): string | undefined {
  const named = parseHost(findValue(request, "host") ?? "") ?? own;
  const port = Number(parsePort(findValue(request, "port") ?? "") ?? 0);
  return named === undefined || port === 0 || /:\d*$/.test(named) ? named : `${named}:${port}`;
}

/** What the hop that names the client says besides. */
function findValue(
  { headers, peer, trusted }: ForwardedRequest,
  name: "proto" | "host" | "port",
): string | undefined {
  const { forwarded, forwardedFor, forwardedProto, forwardedHost, forwardedPort } = headers;
  const given = { proto: forwardedProto, host: forwardedHost, port: forwardedPort }[name];
  const isOld = [forwardedFor, forwardedProto, forwardedHost].some((value) => value !== undefined);
  const says = given ?? (isOld ? undefined : forwarded);
  if (says === undefined || !trusted.isTrusted(peer)) return undefined;
  const hops = readHops(headers);
  const values =
    given === undefined
      ? says.split(",").map((element) => readParameter(element, name))
      : splitList(says);
  const at = values.length === hops.length ? walk(hops, trusted).at : values.length - 1;
  return values[at];
}

/** Walks from the last hop to the first that is not a trusted proxy; `at` is its place, or the last hop. */
function walk(
  hops: readonly string[],
  trusted: TrustedProxies,
): { readonly client: Client | undefined; readonly at: number } {
  let found: { client: Client | undefined; at: number } = {
    client: undefined,
    at: hops.length - 1,
  };
  for (const [at, hop] of [...hops.entries()].toReversed()) {
    const client = parseNode(hop);
    if (client === undefined) return found;
    found = { client, at };
    if (!trusted.isTrusted({ remoteAddress: client.address })) return found;
  }
  return found;
}

function peerOf({ remoteAddress, remotePort }: Peer): Client | undefined {
  if (remoteAddress === undefined) return undefined;
  return remotePort === undefined
    ? { address: remoteAddress }
    : { address: remoteAddress, port: remotePort };
}

/** The hops from the client to the last proxy, as written. */
function readHops({ forwardedFor, forwarded }: ForwardedHeaders): string[] {
  if (forwardedFor !== undefined) return splitList(forwardedFor);
  if (forwarded === undefined) return [];
  return forwarded.split(",").map((element) => readParameter(element, "for"));
}

function splitList(list: string): string[] {
  return list.split(",").map((item) => item.trim());
}

/** A name or an address, with a port or without; anything else in it would become another part of a URL. */
function parseHost(text: string): string | undefined {
  const host = text.replace(/^"(.*)"$/, "$1");
  return /^(?:[a-z0-9._~-]{1,255}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i.test(host)
    ? host
    : undefined;
}

function parsePort(text: string): string | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= HIGHEST_PORT ? text : undefined;
}

const PARAMETERS = {
  for: /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i,
  proto: /(?:^|;)\s*proto\s*=\s*("[^"]*"|[^;\s]*)/i,
  host: /(?:^|;)\s*host\s*=\s*("[^"]*"|[^;\s]*)/i,
  // It has none: a port belongs to its host.
  port: /(?!)/,
} as const;

/** A parameter of one element of `Forwarded`, as written. */
function readParameter(element: string, name: keyof typeof PARAMETERS): string {
  return PARAMETERS[name].exec(element)?.[1] ?? "";
}

/** A WebSocket is asked for by HTTP. */
function parseScheme(text: string): Scheme | undefined {
  const scheme = text.replace(/^"(.*)"$/, "$1").toLowerCase();
  if (scheme === "https" || scheme === "wss") return "https";
  return scheme === "http" || scheme === "ws" ? "http" : undefined;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, in quotes or not; undefined for anything else. */
function parseNode(text: string): Client | undefined {
  const bare = text.replace(/^"(.*)"$/, "$1");
  if (isIP(bare) !== 0) return { address: bare };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(bare) ?? [];
  const address = bracketed ?? plain ?? "";
  if (isIP(address) === 0) return undefined;
  // Who sent it is known all the same.
  if (port === undefined || Number(port) > HIGHEST_PORT) return { address };
  return { address, port: Number(port) };
}
