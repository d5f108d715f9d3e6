import {
  data, encodeFields, FLAG, frame, FRAME, GET, headers, numberFrame, ping, PREFACE, settings, type Fields,
} from "../helpers/http2-frames.ts"; // prettier-ignore
import { MALFORMED_HTTP2 } from "../helpers/malformed-http2.ts";
import type { Chance } from "../helpers/random.ts";
import { mutate } from "./mutate.ts";

const FIELDS: readonly [Fields[number], ...Fields] = [
  ["a", "b"],
  ["a", ""],
  ["a", " b "],
  ["a", "b\r\nc: d"],
  ["a", "\0"],
  ["", "b"],
  ["A", "b"],
  ["host", "y"],
  ["cookie", "a=b"],
  ["te", "trailers"],
  ["connection", "close"],
  ["transfer-encoding", "chunked"],
  ["content-length", "3"],
  ["content-length", "x"],
  ["expect", "100-continue"],
  ["expect", "x"],
  [":path", "/"],
  [":path", ""],
  [":method", "POST"],
  [":status", "200"],
  [":x", "y"],
  [":protocol", "websocket"],
  ["x-forwarded-for", "203.0.113.7"],
  ["a", "b".repeat(17_000)],
];
const METHODS = ["GET", "POST", "POST", "HEAD", "CONNECT", "OPTIONS", "PUT", "x", ""] as const;
const PATHS = ["/", "/", "/early", "*", "", "/ x", "http://y/", `/${"a".repeat(9_000)}`] as const;
const FLAGS = [
  0,
  FLAG.END_STREAM,
  FLAG.END_HEADERS,
  FLAG.END_STREAM | FLAG.END_HEADERS,
  FLAG.END_STREAM | FLAG.END_HEADERS,
  FLAG.PADDED,
  FLAG.PRIORITY,
  0xff,
] as const;
const NUMBERS = [0, 1, 8, 16_384, 65_535, 2 ** 31 - 1, 2 ** 32 - 1] as const; // prettier-ignore
const TUNNEL: Fields = [[":method", "CONNECT"], [":authority", "y:1"]]; // prettier-ignore
const MOST_FRAMES = 16;
const CORPUS = Object.values(MALFORMED_HTTP2).map(({ bytes }) => bytes);

/** A connection of HTTP/2 of which the most is nearly right. */
export function drawHttp2(chance: Chance): Buffer {
  const { is, below } = chance;
  if (is(0.15)) return mutate(CORPUS[below(CORPUS.length)] ?? PREFACE, chance);
  let stream = 1;
  const frames = chance.list(1 + below(MOST_FRAMES), () => {
    if (is(0.5)) stream += 2;
    return drawFrame(chance, stream);
  });
  const bytes = Buffer.concat([PREFACE, is(0.95) ? settings() : Buffer.alloc(0), ...frames]);
  return is(0.25) ? mutate(bytes, chance) : bytes;
}

function drawFrame(chance: Chance, last: number): Buffer {
  const { pick, is, below, list } = chance;
  const stream = is(0.8) ? last : below(20);
  const bytes = (most: number): Buffer => Buffer.from(list(below(most), () => below(256)));
  return pick<() => Buffer>([
    () => headers(stream, { fields: drawFields(chance) }),
    () => headers(stream, { fields: drawFields(chance) }),
    () => headers(stream, { fields: drawFields(chance), flags: pick(FLAGS) }),
    () => Buffer.concat([headers(stream, { fields: drawFields(chance) }), numberFrame(FRAME.RST_STREAM, stream, 8)]),
    () => headers(stream, { fields: [pick(FIELDS)], flags: pick(FLAGS) }),
    () => data(stream, bytes(50), is(0.4) ? FLAG.END_STREAM : 0),
    () => data(stream, Buffer.alloc(below(16_385)), pick(FLAGS)),
    () => frame({ type: FRAME.HEADERS, stream, flags: pick(FLAGS), payload: bytes(50) }),
    () => frame({ type: FRAME.CONTINUATION, stream, flags: pick(FLAGS), payload: encodeFields([pick(FIELDS)]) }),
    () => numberFrame(FRAME.RST_STREAM, stream, below(15)),
    () => numberFrame(FRAME.WINDOW_UPDATE, is(0.5) ? 0 : stream, pick(NUMBERS)),
    () => settings([below(10), pick(NUMBERS)]),
    () => frame({ type: FRAME.SETTINGS, flags: FLAG.ACK }),
    () => ping(is(0.3) ? FLAG.ACK : 0),
    () => frame({ type: FRAME.PRIORITY, stream, payload: bytes(8) }),
    () => frame({ type: FRAME.GOAWAY, payload: bytes(20) }),
    () => frame({ type: below(256), flags: below(256), stream: below(10), payload: bytes(40) }),
    () => frame({ type: below(10), flags: pick(FLAGS), stream, payload: bytes(40), length: below(20_000) }),
  ])();
} // prettier-ignore

function drawFields({ pick, is, list, below }: Chance): Fields {
  if (is(0.05)) return TUNNEL;
  const fields = GET.map(([name, value]) => {
    if (name === ":method") return [name, pick(METHODS)] as const;
    return name === ":path" ? ([name, pick(PATHS)] as const) : ([name, value] as const);
  });
  return is(0.5) ? fields : [...fields, ...list(below(4), () => pick(FIELDS))];
}
