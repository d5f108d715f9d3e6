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
}

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
  let client = peerOf(peer);
  const isNamed = headers.forwardedFor !== undefined || headers.forwarded !== undefined;
  if (!isNamed || !trusted.isTrusted(peer)) return client;
  for (const hop of readHops(headers).toReversed()) {
    const named = parseNode(hop);
    if (named === undefined) return client;
    client = named;
    if (!trusted.isTrusted({ remoteAddress: named.address })) return client;
  }
  return client;
}

function peerOf({ remoteAddress, remotePort }: Peer): Client | undefined {
  if (remoteAddress === undefined) return undefined;
  return remotePort === undefined
    ? { address: remoteAddress }
    : { address: remoteAddress, port: remotePort };
}

/** The hops from the client to the last proxy, as written. */
function readHops({ forwardedFor, forwarded }: ForwardedHeaders): string[] {
  if (forwardedFor !== undefined) return forwardedFor.split(",").map((hop) => hop.trim());
  if (forwarded === undefined) return [];
  return forwarded
    .split(",")
    .map((element) => /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(element)?.[1] ?? "");
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
