import {
  data, encodeFields, FLAG, frame, FRAME, GET, headers, numberFrame, ping, session, settings, type Fields,
} from "./http2-frames.ts"; // prettier-ignore

/** What a client sends without an end. */
export interface Flood {
  readonly begin: Buffer;
  /** What comes as the so-and-so-manieth, from 0 on. */
  readonly each: (index: number) => Buffer;
}

const POST: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "x"],
];
const CANCEL = 8;

/** Streams of clients have odd numbers. */
function streamOf(index: number): number {
  return 2 * index + 1;
}

function same(each: Buffer, ...begin: readonly Buffer[]): Flood {
  return { begin: session(...begin), each: () => each };
}

function onStreams(each: (stream: number) => Buffer): Flood {
  return { begin: session(), each: (index) => each(streamOf(index)) };
}

function with_(name: string, value: string): Fields {
  return GET.map((field) => (field[0] === name ? [name, value] : field));
}

const BEGUN = headers(1, { fields: POST, flags: FLAG.END_HEADERS });
const UNENDED = headers(1, { flags: FLAG.END_STREAM });

/** Floods of HTTP/2, of which none may last. */
export const HTTP2_FLOODS: Readonly<Record<string, Flood>> = {
  "PING": same(ping()),
  "ACKs of PING": same(ping(FLAG.ACK)),
  "SETTINGS": same(settings()),
  "ACKs of SETTINGS": same(frame({ type: FRAME.SETTINGS, flags: FLAG.ACK })),
  "CONTINUATION": same(
    frame({ type: FRAME.CONTINUATION, stream: 1, payload: encodeFields([["a", "b"]]) }),
    UNENDED,
  ),
  "empty CONTINUATION": same(frame({ type: FRAME.CONTINUATION, stream: 1 }), UNENDED),
  "rapid reset": onStreams((stream) =>
    Buffer.concat([
      headers(stream, { fields: with_(":path", "/hang") }),
      numberFrame(FRAME.RST_STREAM, stream, CANCEL),
    ]),
  ),
  "rapid reset of tunnels": onStreams((stream) =>
    Buffer.concat([
      headers(stream, { fields: [[":method", "CONNECT"], [":authority", "y:1"]] }),
      numberFrame(FRAME.RST_STREAM, stream, CANCEL),
    ]),
  ),
  "resets that the server must send": onStreams((stream) =>
    Buffer.concat([
      headers(stream, { fields: [...POST, ["content-length", "5"]], flags: FLAG.END_HEADERS }),
      data(stream, "abc", FLAG.END_STREAM),
    ]),
  ),
  "streams beyond the limit": onStreams((stream) =>
    headers(stream, { fields: with_(":path", "/hang") }),
  ),
  "requests that are none": onStreams((stream) => headers(stream, { fields: with_(":path", "") })),
  "empty DATA": same(data(1, ""), BEGUN),
  "PRIORITY": same(
    frame({ type: FRAME.PRIORITY, stream: 1, payload: Buffer.from([0, 0, 0, 3, 3]) }),
  ),
  "unknown frames": same(frame({ type: 0xbe, payload: Buffer.alloc(4) })),
}; // prettier-ignore

const CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Floods of HTTP/1.1, of which none may last. */
export const HTTP1_FLOODS: Readonly<Record<string, Flood>> = {
  "a method": repeat("", "A"),
  "a target": repeat("GET /", "a"),
  "headers": repeat("GET / HTTP/1.1\r\nHost: x\r\n", "a: b\r\n"),
  "a value": repeat("GET / HTTP/1.1\r\nHost: x\r\na: ", "b"),
  "the size of a chunk": repeat(CHUNKED, "1"),
  "extensions of a chunk": repeat(`${CHUNKED}3`, ";a=b"),
  "trailers": repeat(`${CHUNKED}0\r\n`, "a: b\r\n"),
}; // prettier-ignore

function repeat(begin: string, each: string): Flood {
  return { begin: Buffer.from(begin), each: () => Buffer.from(each) };
}
