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
export function findScheme({ headers, peer, trusted }: ForwardedRequest): Scheme | undefined {
  const { forwarded, forwardedFor, forwardedProto } = headers;
  const says = forwardedProto ?? (forwardedFor === undefined ? forwarded : undefined);
  if (says === undefined || !trusted.isTrusted(peer)) return undefined;
  const hops = readHops(headers);
  const schemes =
    forwardedProto === undefined
      ? says.split(",").map((element) => readParameter(element, "proto"))
      : splitList(says);
  const at = schemes.length === hops.length ? walk(hops, trusted).at : schemes.length - 1;
  return parseScheme(schemes[at] ?? "");
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

const PARAMETERS = {
  for: /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i,
  proto: /(?:^|;)\s*proto\s*=\s*("[^"]*"|[^;\s]*)/i,
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
