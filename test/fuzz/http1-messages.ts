import { MALFORMED_HTTP1 } from "../helpers/malformed-http1.ts";
import type { Chance } from "../helpers/random.ts";
import { mutate } from "./mutate.ts";

const METHODS = [
  "GET",
  "GET",
  "POST",
  "POST",
  "PUT",
  "HEAD",
  "OPTIONS",
  "DELETE",
  "CONNECT",
  "PRI",
  "get",
  "",
  "G\0T",
] as const;
const TARGETS = [
  "/",
  "/",
  "/early",
  "/a?b=c",
  "*",
  "http://y/z",
  "//y",
  "y:1",
  "",
  "/ x",
  "/\xff",
  `/${"a".repeat(9_000)}`,
] as const;
const VERSIONS = [
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/2.0",
  "HTTP/0.9",
  "http/1.1",
  "HTTP/1.",
  "",
] as const;
const ENDS = ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r"] as const;
const HEADERS = [
  "Host: x",
  "Host: x",
  "Host: y",
  "Host:",
  "Connection: close",
  "Connection: keep-alive",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "Expect: 100-continue",
  "Expect: x",
  "Content-Length: 3",
  "Content-Length: 0",
  "Content-Length: 03",
  "Content-Length: 3, 3",
  "Transfer-Encoding: chunked",
  "transfer-encoding:\tchunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding : chunked",
  " folded",
  "a: b",
  "a:",
  ": b",
  "a",
  "\xe9: b",
  "a: \0",
  "Cookie: a=b",
  "TE: trailers",
  "Trailer: a",
  "X-Forwarded-For: 203.0.113.7",
  "X-Request-Id: 1",
  "traceparent: 00-0-0-00",
  `a: ${"b".repeat(20_000)}`,
] as const;
const BODIES = [
  "", "", "abc", "abcdef", "3\r\nabc\r\n0\r\n\r\n", "3;a=b\r\nabc\r\n0\r\na: b\r\n\r\n", "0\r\n\r\n", "3\nabc\n0\n\n", "g\r\n", "3\r\nab",
  "fffffffffffffffff\r\n", "00000000000000000003\r\nabc\r\n0\r\n\r\n", "0\r\nHost: y\r\nContent-Length: 3\r\n\r\n", "x".repeat(70_000),
] as const; // prettier-ignore
const CORPUS = Object.values(MALFORMED_HTTP1).map(({ bytes }) => Buffer.from(bytes, "latin1"));
const MOST_HEADERS = 6;

/** Some messages of HTTP/1.1 on one connection, of which the most are nearly right. */
export function drawHttp1(chance: Chance): Buffer {
  const { is, list, below } = chance;
  const bytes = Buffer.concat(list(1 + below(4), () => drawMessage(chance)));
  return is(0.4) ? mutate(bytes, chance) : bytes;
}

function drawMessage({ pick, list, below, is }: Chance): Buffer {
  if (is(0.15)) return CORPUS[below(CORPUS.length)] ?? Buffer.alloc(0);
  const line = `${pick(METHODS)} ${pick(TARGETS)} ${pick(VERSIONS)}`;
  const some = list(below(MOST_HEADERS), () => pick(HEADERS));
  const headers = is(0.7) ? ["Host: x", ...some.filter((header) => !header.startsWith("Host"))] : some;
  const lines = [line, ...headers, ""].map((text) => text + pick(ENDS));
  return Buffer.from(lines.join("") + pick(BODIES), "latin1");
} // prettier-ignore
