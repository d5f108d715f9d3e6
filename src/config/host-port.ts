import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { ValueError } from "./value-error.ts";

/** A TCP address as people write it, taken apart. */
export interface HostPort {
  /** In its shortest form, without brackets; `::` when only a port was given. */
  readonly host: string;
  readonly port: number;
}

const EVERY_ADDRESS = "::";
const LONGEST_HOST = 253;
const HIGHEST_PORT = 65_535;

/** Reads `HOST:PORT`, `[V6]:PORT` or `:PORT`. */
export function parseHostPort(text: string): HostPort {
  const bracketed = /^\[([^\]]*)\](.*)$/.exec(text);
  if (bracketed !== null) return parseBracketed(text, bracketed[1] ?? "", bracketed[2] ?? "");
  const colon = text.lastIndexOf(":");
  if (colon === -1) throw refuse(text, explainMissingColon(text));
  const host = text.slice(0, colon);
  if (host.includes(":")) throw refuse(text, explainBareIPv6(text, colon));
  return { host: parseHost(text, host), port: parsePort(text, text.slice(colon + 1)) };
}

function parseBracketed(text: string, host: string, rest: string): HostPort {
  if (!isIPv6(host)) {
    throw refuse(text, "expected an IPv6 address between the brackets, such as [::1]:8000");
  }
  if (!rest.startsWith(":"))
    throw refuse(text, `the port is missing: did you mean "[${host}]:8000"`);
  return { host: shorten(host), port: parsePort(text, rest.slice(1)) };
}

function parseHost(text: string, host: string): string {
  if (host === "") return EVERY_ADDRESS;
  if (host === "*")
    throw refuse(text, `every address is written without a host: did you mean "${text.slice(1)}"`);
  if (isIPv4(host)) return host;
  if (/^[\d.]+$/.test(host)) throw refuse(text, `"${host}" is not an IPv4 address`);
  const isName =
    /^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?$/i.test(host) && host.length <= LONGEST_HOST;
  if (!isName) throw refuse(text, `"${host}" is not a host name: expected HOST:PORT`);
  return host.toLowerCase();
}

function parsePort(text: string, port: string): number {
  if (port === "") throw refuse(text, `the port is missing: did you mean "${text}8000"`);
  if (!/^\d+$/.test(port)) {
    throw refuse(
      text,
      `the port must be a number from 0 to ${HIGHEST_PORT}, and "${port}" is none`,
    );
  }
  if (Number(port) > HIGHEST_PORT) {
    throw refuse(text, `port ${port} is out of range: expected 0 to ${HIGHEST_PORT}`);
  }
  return Number(port);
}

function explainMissingColon(text: string): string {
  if (/^\d+$/.test(text)) return `a port is written with a colon: did you mean ":${text}"`;
  return "expected HOST:PORT, such as 127.0.0.1:8000";
}

function explainBareIPv6(text: string, lastColon: number): string {
  const host = text.slice(0, lastColon);
  const port = text.slice(lastColon + 1);
  if (isIPv6(host) && /^\d+$/.test(port)) {
    return `an IPv6 address wants brackets: did you mean "[${host}]:${port}"`;
  }
  if (isIPv6(text))
    return `an IPv6 address wants brackets and a port: did you mean "[${text}]:8000"`;
  return "expected HOST:PORT or [IPV6]:PORT, and this has more than one colon";
}

/** Two spellings of one address must compare equal. */
function shorten(host: string): string {
  if (host.includes("%")) return host;
  return new SocketAddress({ address: host, family: "ipv6" }).address;
}

function refuse(text: string, reason: string): ValueError {
  return new ValueError(text, reason, "ERR_ENDPOINT");
}
