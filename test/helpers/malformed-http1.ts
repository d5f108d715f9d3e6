import type { RejectReason } from "../../src/counters.ts";

/** What a client sends that is not as it should be, and what becomes of it on an endpoint of HTTP/1.1. */
export interface Malformed {
  /** A character a byte. */
  readonly bytes: string;
  /** Statuses of the answers, in their order, after which the connection is closed (400). */
  readonly answers?: readonly number[];
  /** Requests that the app was given (0). */
  readonly served?: number;
  /** (what goes with the last answer, unless the app gave it) */
  readonly refused?: RejectReason | undefined;
  /** The client ends its side behind the bytes; otherwise it waits for what comes. */
  readonly ends?: boolean;
  /** It is answered when a timeout is over. */
  readonly isSlow?: boolean;
}

const HOST = "Host: x\r\n";
const POST = `POST / HTTP/1.1\r\n${HOST}`;
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
/** What must not be taken for a request of its own. */
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;
/** A last request, so that the server closes. */
const LAST = `GET /last HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
/** As it should be: the app is given it, and the last one behind it. */
const FINE = { answers: [200, 200], served: 2 } as const;
/** As it should be; the connection idles until the server ends it. */
const IDLE = { answers: [200], served: 1, isSlow: true } as const;
/** The app was called when its head was there, and we answered in its place. */
const CUT_SHORT = { answers: [400], served: 1, refused: "bad_request" } as const;
/** The app was called, and the client gave up. */
const GIVEN_UP = { answers: [], served: 1, ends: true } as const;

function get(...headers: readonly string[]): string {
  return `GET / HTTP/1.1\r\n${HOST}${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
}

function post(...headers: readonly string[]): string {
  return `${POST}${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
}

const SMUGGLING: Record<string, Malformed> = {
  "a length and chunks": {
    bytes: post("Content-Length: 4", "Transfer-Encoding: chunked") + `0\r\n\r\n${SMUGGLED}`,
  },
  "chunks and a length": {
    bytes: post("Transfer-Encoding: chunked", "Content-Length: 4") + `0\r\n\r\n${SMUGGLED}`,
  },
  "two lengths": { bytes: post("Content-Length: 3", "Content-Length: 0") + SMUGGLED },
  "one length twice": { bytes: post("Content-Length: 3", "Content-Length: 3") + `abc${SMUGGLED}` },
  "a list of lengths": { bytes: post("Content-Length: 3, 3") + `abc${SMUGGLED}` },
  "a length with a sign": { bytes: `${post("Content-Length: +3")}abc` },
  "a length below zero": { bytes: post("Content-Length: -1") },
  "a length in hex": { bytes: `${post("Content-Length: 0x3")}abc` },
  "a length with a blank": { bytes: `${post("Content-Length: 1 1")}abc` },
  "no length": { bytes: `${post("Content-Length:")}abc` },
  "a length beyond 64 bits": { bytes: `${post(`Content-Length: ${"9".repeat(30)}`)}abc` },
  "an unknown coding": { bytes: post("Transfer-Encoding: gzip") + SMUGGLED, ...CUT_SHORT },
  "identity as a coding": { bytes: post("Transfer-Encoding: identity") + SMUGGLED, ...CUT_SHORT },
  "chunked that is not last": { bytes: post("Transfer-Encoding: chunked, gzip") + SMUGGLED },
  "almost chunked": { bytes: post("Transfer-Encoding: xchunked") + SMUGGLED, ...CUT_SHORT },
  "chunked behind a vertical tab": { bytes: post("Transfer-Encoding: \x0bchunked") + SMUGGLED },
  "chunked in quotes": { bytes: post('Transfer-Encoding: "chunked"') + SMUGGLED, ...CUT_SHORT },
  "a coding on a folded line": { bytes: post("Transfer-Encoding:", " chunked") + SMUGGLED },
  "a blank before the colon": { bytes: post("Transfer-Encoding : chunked") + SMUGGLED },
  "a tab before the colon": { bytes: post("Content-Length\t: 3") + `abc${SMUGGLED}` },
  "a NUL in the name of a header": { bytes: post("Content\0-Length: 3") + SMUGGLED },
  "two hosts": { bytes: get("Host: y") },
  "one host twice": { bytes: get("host: x") },
  "no host": { bytes: "GET / HTTP/1.1\r\n\r\n" },
  "a body beyond its length": {
    bytes: `${post("Content-Length: 3")}abcd\r\n${SMUGGLED}`,
    answers: [200, 400],
    served: 1,
    refused: "bad_request",
  },
  "a body nobody asked for": { bytes: `${get("Content-Length: 3")}abc${LAST}`, ...FINE },
  "a bad chunk behind something good": {
    bytes: `${get()}${CHUNKED}zz\r\nabc\r\n`,
    answers: [200, 400],
    served: 2,
    refused: "bad_request",
  },
  "something bad behind something good": {
    bytes: `${get()}GET / HTTP/9.9\r\n\r\n${SMUGGLED}`,
    answers: [200, 400],
    served: 1,
    refused: "bad_request",
  },
};

const CHUNKS: Record<string, Malformed> = {
  "a size that is no number": { bytes: `${CHUNKED}g\r\n`, ...CUT_SHORT },
  "a size below zero": { bytes: `${CHUNKED}-1\r\n`, ...CUT_SHORT },
  "a size with 0x": { bytes: `${CHUNKED}0x3\r\nabc\r\n`, ...CUT_SHORT },
  "a size beyond 64 bits": { bytes: `${CHUNKED}${"f".repeat(17)}\r\nabc`, ...CUT_SHORT },
  "no size": { bytes: `${CHUNKED}\r\nabc\r\n`, ...CUT_SHORT },
  "a blank behind the size": { bytes: `${CHUNKED}3 \r\nabc\r\n0\r\n\r\n`, ...CUT_SHORT },
  "a size that ends in LF": { bytes: `${CHUNKED}3\nabc\r\n0\r\n\r\n`, ...CUT_SHORT },
  "a size that ends in CR": { bytes: `${CHUNKED}3\rabc\r\n0\r\n\r\n`, ...CUT_SHORT },
  "more than its size": { bytes: `${CHUNKED}3\r\nabcd\r\n0\r\n\r\n`, ...CUT_SHORT },
  "less than its size": { bytes: `${CHUNKED}5\r\nabc\r\n0\r\n\r\n`, ...CUT_SHORT },
  "no end of line behind it": { bytes: `${CHUNKED}3\r\nabc0\r\n\r\n`, ...CUT_SHORT },
  "an extension with a NUL": { bytes: `${CHUNKED}3;a=\0\r\nabc\r\n`, ...CUT_SHORT },
  "an extension with LF": { bytes: `${CHUNKED}3;a\nabc\r\n0\r\n\r\n`, ...CUT_SHORT },
  "endless extensions": { bytes: `${CHUNKED}3;${"a".repeat(40_000)}`, ...CUT_SHORT },
  "a trailer that is none": { bytes: `${CHUNKED}0\r\nnonsense\r\n\r\n`, ...CUT_SHORT },
  "a trailer with LF": { bytes: `${CHUNKED}0\r\na: b\nc: d\r\n\r\n`, ...CUT_SHORT },
};

const LINES: Record<string, Malformed> = {
  "a folded header": { bytes: get("A: b", " c") },
  "a folded first header": { bytes: `GET / HTTP/1.1\r\n ${HOST}\r\n` },
  "lines that end in LF": { bytes: "GET / HTTP/1.1\nHost: x\n\n" },
  "headers that end in LF": { bytes: "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n" },
  "a CR in a value": { bytes: get("A: b\rc") },
  "a CR in the request line": { bytes: `GET /\r HTTP/1.1\r\n${HOST}\r\n` },
  "a NUL in a value": { bytes: get("A: b\0c") },
  "a NUL in the target": { bytes: `GET /\0 HTTP/1.1\r\n${HOST}\r\n` },
  "a NUL before everything": { bytes: `\0${get()}` },
  "a header without a colon": { bytes: get("nonsense") },
  "a header without a name": { bytes: get(": b") },
  "a blank in the name of a header": { bytes: get("a b: c") },
  "a name beyond ASCII": { bytes: get("\xe9: b") },
  "a value beyond ASCII": { bytes: get("a: \xe9\xff") + LAST, ...FINE },
  "a value with DEL": { bytes: get("a: \x7f") },
  "empty lines in front": { bytes: `\r\n\r\n${get()}${LAST}`, ...FINE },
  "blanks in front": { bytes: ` ${get()}` },
  "no method": { bytes: ` / HTTP/1.1\r\n${HOST}\r\n` },
  "an unknown method": { bytes: `NONSENSE / HTTP/1.1\r\n${HOST}\r\n` },
  "a method in lower case": { bytes: `get / HTTP/1.1\r\n${HOST}\r\n` },
  "a method that goes on": { bytes: `GETX / HTTP/1.1\r\n${HOST}\r\n` },
  "a method with a sign": { bytes: `G@T / HTTP/1.1\r\n${HOST}\r\n` },
  "no target": { bytes: `GET HTTP/1.1\r\n${HOST}\r\n` },
  "a blank in the target": { bytes: `GET /a b HTTP/1.1\r\n${HOST}\r\n` },
  "a tab for a blank": { bytes: `GET\t/\tHTTP/1.1\r\n${HOST}\r\n` },
  "no version": { bytes: `GET /\r\n${HOST}\r\n`, answers: [505] },
  "a bare HTTP/0.9 request": {
    bytes: "GET /\r\n",
    answers: [408],
    refused: "request_timeout",
    isSlow: true,
  },
  "version 0.9": { bytes: `GET / HTTP/0.9\r\n${HOST}\r\n`, answers: [505] },
  "version 2.0": { bytes: `GET / HTTP/2.0\r\n${HOST}\r\n`, answers: [505] },
  "half a version": { bytes: `GET / HTTP/1\r\n${HOST}\r\n` },
  "version 1.2": { bytes: `GET / HTTP/1.2\r\n${HOST}\r\n` },
  "version 1.10": { bytes: `GET / HTTP/1.10\r\n${HOST}\r\n` },
  "version 9.9": { bytes: `GET / HTTP/9.9\r\n${HOST}\r\n` },
  "a version in lower case": { bytes: `GET / http/1.1\r\n${HOST}\r\n` },
  "another protocol": { bytes: `GET / HTTPS/1.1\r\n${HOST}\r\n` },
  "RTSP": { bytes: `GET / RTSP/1.0\r\n${HOST}\r\n`, answers: [200], served: 1 },
  "a target with a host": { bytes: `GET http://y/z HTTP/1.1\r\n${HOST}\r\n${LAST}`, ...FINE },
  "a target that is only a scheme": { bytes: `GET http:// HTTP/1.1\r\n${HOST}\r\n${LAST}`, ...FINE },
  "a target without a slash": { bytes: `GET index.html HTTP/1.1\r\n${HOST}\r\n` },
  "a target with a host and no scheme": { bytes: `GET //y HTTP/1.1\r\n${HOST}\r\n${LAST}`, ...FINE },
  "a star as a target": { bytes: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n${LAST}`, ...FINE },
  "a tunnel": { bytes: `CONNECT y:443 HTTP/1.1\r\n${HOST}\r\n`, answers: [501] },
  "a tunnel to nowhere": { bytes: `CONNECT / HTTP/1.1\r\n${HOST}\r\n`, answers: [501] },
  "an unknown expectation": { bytes: get("Expect: wonders"), answers: [417] },
  "HTTP/2 by upgrade": {
    bytes: get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    ...IDLE,
  },
  "a WebSocket without a key": {
    bytes: get("Connection: Upgrade", "Upgrade: websocket"),
    ...IDLE,
  },
  "too many headers": {
    bytes: get(...Array<string>(1_001).fill("a: b")),
    answers: [431],
    refused: "headers_too_large",
  },
  "too large a header": {
    bytes: get(`A: ${"b".repeat(100_000)}`),
    answers: [431],
    refused: "headers_too_large",
  },
  "too long a target": {
    bytes: `GET /${"a".repeat(10_000)} HTTP/1.1\r\n${HOST}\r\n`,
    answers: [414],
    refused: "request_line_too_long",
  },
}; // prettier-ignore

const STRANGERS: Record<string, Malformed> = {
  "a TLS hello": { bytes: `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${"\x5a".repeat(64)}` },
  "SSH": { bytes: "SSH-2.0-OpenSSH_9.9\r\n" },
  "SMTP": { bytes: "EHLO x\r\n" },
  "Redis": { bytes: "*1\r\n$4\r\nPING\r\n" },
  "a PROXY header in the wrong place": { bytes: `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${get()}` },
  "almost the preface of HTTP/2": { bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX" },
  "the preface of another version": {
    bytes: "PRI * HTTP/1.1\r\n\r\n",
    answers: [408],
    refused: "request_timeout",
    isSlow: true,
  },
  "zeros": { bytes: "\0".repeat(5_000) },
  "ones": { bytes: "\xff".repeat(5_000) },
  "one long word": { bytes: "A".repeat(300_000) },
  "empty lines": { bytes: "\r\n".repeat(1_000), ends: true, answers: [] },
}; // prettier-ignore

/** The first is cut within the request line, the last within the body. */
const STAGES = {
  "the method": "GE",
  "the target": "GET /abc",
  "the version": "GET / HTTP/1",
  "the end of the request line": "GET / HTTP/1.1\r",
  "the headers": "GET / HTTP/1.1\r\nHos",
  "a value": "GET / HTTP/1.1\r\nHost: x",
  "the end of the headers": "GET / HTTP/1.1\r\nHost: x\r\n\r",
} as const;
const BODY_STAGES = {
  "a body of that length": `${post("Content-Length: 5")}abc`,
  "a body before it begins": CHUNKED,
  "the size of a chunk": `${CHUNKED}5`,
  "a chunk": `${CHUNKED}5\r\nabc`,
  "the end of a chunk": `${CHUNKED}3\r\nabc\r`,
  "the trailers": `${CHUNKED}3\r\nabc\r\n0\r\na: `,
} as const;

const TRUNCATED: Record<string, Malformed> = {
  ...rename(STAGES, "the end within", (bytes) => ({ bytes, ends: true })),
  ...rename(STAGES, "silence within", (bytes) => ({
    bytes,
    answers: [408],
    refused: "request_timeout",
    isSlow: true,
  })),
  ...rename(BODY_STAGES, "the end within", (bytes) => ({ bytes, ...GIVEN_UP })),
  ...rename(BODY_STAGES, "silence within", (bytes) => ({
    bytes,
    answers: [408],
    served: 1,
    refused: "request_timeout",
    isSlow: true,
  })),
};

/** Requests of HTTP/1.1 that are none, by what is wrong with them. */
export const MALFORMED_HTTP1: Readonly<Record<string, Malformed>> = {
  ...SMUGGLING,
  ...rename(CHUNKS, "a chunk with", (malformed) => malformed),
  ...LINES,
  ...STRANGERS,
  ...TRUNCATED,
};

function rename<Item>(
  items: Readonly<Record<string, Item>>,
  before: string,
  make: (item: Item) => Malformed,
): Record<string, Malformed> {
  return Object.fromEntries(
    Object.entries(items).map(([name, item]) => [`${before} ${name}`, make(item)]),
  );
}
