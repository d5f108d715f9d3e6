import assert from "node:assert/strict";
import { isIP } from "node:net";
import { inspect } from "node:util";
import { createTrustedProxies, findClient } from "../../src/app/forwarded.ts";
import { parseTraceparent } from "../../src/app/traceparent.ts";
import { DEFAULTS } from "../../src/config/config.ts";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.ts";
import { readProxyHeader } from "../../src/http/proxy-header.ts";
import { writeRequestHead } from "../../src/http/request-head.ts";
import { readRequestLine } from "../../src/http/request-line.ts";
import { ResponseDecoder } from "../../src/http/response-decoder.ts";
import { createChance, type Chance } from "../helpers/random.ts";
import { valueOf } from "../helpers/value-of.ts";
import { drawHttp1 } from "./http1-messages.ts";
import { split } from "./mutate.ts";
import { drawProxyHeader } from "./proxy-headers.ts";
import { FuzzFailure, type Target } from "./target.ts";

/** How often the clock is looked at, in cases. */
const ROUND = 200;
const CONTEXT = { cwd: "/srv/app", backlog: 4_096, maxConnections: 0, limits: DEFAULTS.limits };
const ENDPOINT_PIECES = [
  "/", "./", "unix:", "@", ":", "[", "]", "[::1]", "127.0.0.1", "8080", "99999", "fd:", "systemd:", "tcp://", "?", "&", "=", "mode=0660", "name=",
  "backlog=", "max-body-size=", "proxy-protocol=require", "tls-cert=", "tls-key=a", "http=2", "%", "%2", "%26", "a", "\0", "é", "\ud83d", "1e3", "-1",
] as const; // prettier-ignore
const FORWARDED_PIECES = [
  "for=", "by=", "proto=https", ";", ",", '"', '\\"', "[", "]", ":80", ":99999", "unknown", "_a", " ", "10.0.0.1", "203.0.113.7", "::1", "2001:db8::7",
  "fe80::1%eth0", "%", "1.2.3", "\0", "é", "x".repeat(300),
] as const; // prettier-ignore
const FIELD_PIECES = [
  "a",
  "\r\n",
  "\n",
  "\r",
  "\0",
  ":",
  " ",
  "é",
  "Host",
  "GET / HTTP/1.1",
  "\x7f",
  "ÿ",
  "\u0100",
] as const;

/** One of our parsers: each case is drawn and checked, and throws when it does not hold. */
type Check = (chance: Chance) => void;

const CHECKS: Readonly<Record<string, Check>> = {
  "proxy-header": checkProxyHeader,
  "endpoint": checkEndpoint,
  "forwarded": checkForwarded,
  "request-head": checkRequestHead,
  "response": checkResponse,
  "request-line": checkRequestLine,
}; // prettier-ignore

/** A verdict stands, however much more comes. */
function checkProxyHeader(chance: Chance): void {
  const bytes = Buffer.concat([drawProxyHeader(chance), Buffer.from("GET / HTTP/1.1\r\n")]);
  let decided: unknown;
  for (let length = 0; length <= bytes.length; length += 1) {
    const verdict = readProxyHeader(bytes.subarray(0, length));
    if (decided !== undefined && verdict.state === "malformed") assert.equal(decided, "malformed");
    else if (decided !== undefined) assert.deepEqual(verdict, decided);
    else if (verdict.state === "complete") assert.ok(verdict.length <= length);
    if (verdict.state !== "partial") decided ??= verdict.state === "malformed" ? "malformed" : verdict;
  }
} // prettier-ignore

function checkEndpoint({ list, below, pick }: Chance): void {
  const text = list(below(8), () => pick(ENDPOINT_PIECES)).join("");
  const endpoint = valueOf(() => parseEndpoint(text, CONTEXT));
  if (endpoint === undefined) return;
  const named = { ...endpoint, name: endpoint.name ?? "app" };
  assert.deepEqual(parseEndpoint(formatEndpoint(named), CONTEXT), named, text);
}

function checkForwarded({ list, below, pick, is }: Chance): void {
  const header = (): string => list(below(9), () => pick(FORWARDED_PIECES)).join("");
  const headers = { forwarded: header(), forwardedFor: header() };
  const peer = is(0.5) ? {} : { remoteAddress: "10.0.0.1", remotePort: 1 };
  const trusted = createTrustedProxies(["unix", "10.0.0.0/8"]);
  const client = findClient({ headers, peer, trusted });
  if (client !== undefined) assert.notEqual(isIP(client.address), 0, inspect(headers));
  const trace = parseTraceparent(headers.forwarded);
  if (trace !== undefined) assert.match(trace.traceId, /^[0-9a-f]{32}$/);
}

/** Nothing in a request of HTTP/2 becomes a line of its own. */
function checkRequestHead({ list, below, pick, is }: Chance): void {
  const text = (): string => list(below(4), () => pick(FIELD_PIECES)).join("");
  const fields = list(below(4), () => [text(), text()] as const);
  const headers = {
    ":method": is(0.7) ? "GET" : text(),
    ":path": is(0.7) ? "/" : text(),
    ":authority": is(0.7) ? "x" : text(),
    ...Object.fromEntries(fields),
  };
  const head = writeRequestHead({ headers, raw: fields.flat(), hasBody: is(0.5) });
  if (head === undefined) return;
  const lines = head.text.split("\r\n");
  assert.ok(lines.length <= fields.length + 6, head.text);
  assert.deepEqual(lines.slice(-2), ["", ""]);
  assert.ok(
    lines.slice(0, -2).every((line) => line !== "" && !/[\r\n\0]/.test(line)),
    head.text,
  );
  assert.match(lines[0] ?? "", /^\S+ \S+ HTTP\/1\.1$/);
}

/** A response says the same, however it is cut. */
function checkResponse(chance: Chance): void {
  const { pick, list, below } = chance;
  const body = list(below(4), () => "x".repeat(1 + below(300)));
  const chunks = body.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");
  const [head, coded] = pick<readonly [string, string]>([
    [`Content-Length: ${body.join("").length}`, body.join("")],
    ["Transfer-Encoding: chunked", `${chunks}0\r\na: b\r\n\r\n`],
    ["Connection: close", body.join("")],
  ]);
  const status = pick(["200 OK", "404 Not Found", "304 Not Modified", "204 No Content"]);
  const informed = pick(["", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"]);
  const hasBody = status.startsWith("200") || status.startsWith("404");
  const text = `${informed}HTTP/1.1 ${status}\r\n${head}\r\n\r\n${hasBody ? coded : ""}`;
  const whole = Buffer.from(text, "latin1");
  const told = decode([whole]);
  assert.deepEqual(decode(split(whole, chance)), told, text);
  if (hasBody) assert.equal(told.body, body.join(""));
}

function decode(pieces: readonly Buffer[]): { readonly told: unknown[]; readonly body: string } {
  const told: unknown[] = [];
  let body = "";
  const decoder = new ResponseDecoder("GET", {
    informed: (...args) => told.push(args),
    head: (...args) => told.push(args),
    data: (bytes) => void (body += bytes.toString("latin1")),
    end: (trailers) => told.push(trailers),
  });
  for (const piece of pieces) decoder.write(piece);
  decoder.end();
  return { told, body };
}

function checkRequestLine(chance: Chance): void {
  const line = readRequestLine(drawHttp1(chance).toString("latin1"));
  if (line === undefined) return;
  assert.match(`${line.method} ${line.target} ${line.httpVersion}`, /^[A-Z-]+ \S+ \d\.\d$/);
}

/** What of ours reads bytes and texts of others, without a process or a socket. */
export const PARSERS: readonly Target[] = Object.entries(CHECKS).map(([name, check]) => ({
  name,
  run: ({ seed: first, cases, forMs }) => {
    const endMs = performance.now() + forMs;
    let seed = first;
    for (; seed < first + cases; seed += 1) {
      if ((seed - first) % ROUND === ROUND - 1 && performance.now() > endMs) break;
      try {
        check(createChance(seed));
      } catch (cause) {
        throw new FuzzFailure(cause instanceof Error ? cause.message : String(cause), [seed], cause);
      }
    }
    return Promise.resolve(seed - first);
  },
})); // prettier-ignore
