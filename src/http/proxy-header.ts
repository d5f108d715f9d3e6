import { isIPv4, isIPv6 } from "node:net";

/**
 * The header that load balancers put before everything else on a connection, to say whose it is: the
 * PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
 */
export type ProxyHeader =
  /** What came so far may become one. */
  | { readonly state: "partial" }
  /** It is none. */
  | { readonly state: "absent" }
  /** It begins like one, and is not. */
  | { readonly state: "malformed"; readonly reason: string }
  | {
      readonly state: "complete";
      /** Bytes it takes. */
      readonly length: number;
      /** Whom the connection comes from; undefined where the proxy speaks for itself (a health check), or does not know. */
      readonly source: ProxySource | undefined;
    };

export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

const V1_BEGIN = Buffer.from("PROXY ");
/** The longest line there can be, its end included. */
const V1_LIMIT = 107;
const V2_BEGIN = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_HEAD = 16;
/** Room for addresses and what load balancers add to them; the protocol would allow 64 KiB. */
const V2_LIMIT = 4_096;
const V2_VERSION = 2;
const LOCAL = 0;
const PROXY = 1;
/** Address families and transports that name an address: TCP over IPv4, and over IPv6. */
const TCP4 = 0x11;
const TCP6 = 0x21;
const HIGHEST_PORT = 65_535;

const PARTIAL: ProxyHeader = { state: "partial" };
const ABSENT: ProxyHeader = { state: "absent" };

/** Reads the beginning of a connection. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (beginsWith(bytes, V1_BEGIN)) return bytes.length < V1_BEGIN.length ? PARTIAL : readV1(bytes);
  if (beginsWith(bytes, V2_BEGIN)) return bytes.length < V2_HEAD ? PARTIAL : readV2(bytes);
  return ABSENT;
}

/** Whether the two agree as far as both go. */
function beginsWith(bytes: Buffer, begin: Buffer): boolean {
  const common = Math.min(bytes.length, begin.length);
  return bytes.compare(begin, 0, common, 0, common) === 0;
}

function readV1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_LIMIT).indexOf("\r\n");
  if (end === -1) {
    if (bytes.length < V1_LIMIT) return PARTIAL;
    return malformed(`no end of line within ${V1_LIMIT} bytes`);
  }
  const line = bytes.toString("latin1", 0, end);
  const length = end + 2;
  const [
    ,
    protocol,
    source = "",
    destination = "",
    sourcePort = "",
    destinationPort = "",
    ...rest
  ] = line.split(" ");
  if (protocol === "UNKNOWN") return { state: "complete", length, source: undefined };
  const isAddress = { TCP4: isIPv4, TCP6: isIPv6 }[protocol ?? ""];
  if (isAddress === undefined) return malformed(`unknown protocol in "${line}"`);
  const isWhole =
    rest.length === 0 && isPort(sourcePort) && isPort(destinationPort) &&
    isAddress(source) && isAddress(destination); // prettier-ignore
  if (!isWhole) return malformed(`expected two addresses and two ports in "${line}"`);
  return { state: "complete", length, source: { address: source, port: Number(sourcePort) } };
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= HIGHEST_PORT;
}

function readV2(bytes: Buffer): ProxyHeader {
  const versionAndCommand = bytes.readUInt8(12);
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== V2_VERSION)
    return malformed(`version ${versionAndCommand >> 4}, expected 2`);
  if (command !== LOCAL && command !== PROXY) return malformed(`unknown command ${command}`);
  const length = V2_HEAD + bytes.readUInt16BE(14);
  if (length > V2_LIMIT) return malformed(`${length} bytes, expected at most ${V2_LIMIT}`);
  if (bytes.length < length) return PARTIAL;
  if (command === LOCAL) return { state: "complete", length, source: undefined };
  return readV2Source(bytes.subarray(V2_HEAD, length), bytes.readUInt8(13), length);
}

function readV2Source(body: Buffer, familyAndTransport: number, length: number): ProxyHeader {
  const addressBytes = { [TCP4]: 4, [TCP6]: 16 }[familyAndTransport];
  // Of other families the receiver is told to take the connection as it is.
  if (addressBytes === undefined) return { state: "complete", length, source: undefined };
  if (body.length < 2 * addressBytes + 4) return malformed("too short for its addresses");
  const source = {
    address: formatAddress(body.subarray(0, addressBytes)),
    port: body.readUInt16BE(2 * addressBytes),
  };
  return { state: "complete", length, source };
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    bytes.readUInt16BE(2 * index).toString(16),
  );
  // The shortest form, as every other address of the program has it (RFC 5952).
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function malformed(reason: string): ProxyHeader {
  return { state: "malformed", reason };
}
