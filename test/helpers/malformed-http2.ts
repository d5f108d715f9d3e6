import {
  data, encodeFields, FLAG, frame, FRAME, GET, headers, numberFrame, ping, PREFACE, session, SETTING, settings,
  type Fields,
} from "./http2-frames.ts"; // prettier-ignore

/** What becomes of it. */
export type Ending =
  /** A GOAWAY with this error code, and the end. */
  | { readonly kind: "goaway"; readonly code: number }
  /** RST_STREAM with this error code; the connection serves on. */
  | { readonly kind: "reset"; readonly code: number }
  /** An answer; the connection serves on. */
  | { readonly kind: "answer" }
  /** Nothing is said of it; the connection serves on. */
  | { readonly kind: "nothing" }
  /** The end; what is said of it depends on how it comes, or may be lost as the client goes on sending. */
  | { readonly kind: "cut" }
  /** It is incomplete: the connection ends when the timeout is over. */
  | { readonly kind: "timeout" };

/** What a client sends on a new connection that is not as it should be. */
export interface MalformedSession {
  readonly bytes: Buffer;
  readonly ending: Ending;
  /** Requests that the app is given (0). */
  readonly served?: number;
  /** Requests that we answer in the place of the app (0). */
  readonly refused?: number;
}

const ERROR = {
  PROTOCOL: 1, INTERNAL: 2, FLOW_CONTROL: 3, STREAM_CLOSED: 5, FRAME_SIZE: 6, COMPRESSION: 9, CALM: 11,
} as const; // prettier-ignore
const PROTOCOL_GOAWAY: Ending = { kind: "goaway", code: ERROR.PROTOCOL };
const SIZE_GOAWAY: Ending = { kind: "goaway", code: ERROR.FRAME_SIZE };
const FLOW_GOAWAY: Ending = { kind: "goaway", code: ERROR.FLOW_CONTROL };
const HPACK_GOAWAY: Ending = { kind: "goaway", code: ERROR.COMPRESSION };
const PROTOCOL_RESET: Ending = { kind: "reset", code: ERROR.PROTOCOL };
const ANSWER: Ending = { kind: "answer" };
const TIMEOUT: Ending = { kind: "timeout" };
const MOST = 2 ** 31 - 1;

const HANGING = with_(":path", "/hang");
const POST = with_(":method", "POST");

/** A GET with another value of one field; undefined leaves it out. */
function with_(name: string, value: string | undefined): Fields {
  return GET.flatMap((field) => {
    if (field[0] !== name) return [field];
    return value === undefined ? [] : [[name, value] as const];
  });
}

/** A request that has fields beside those of a GET. */
function plus(...fields: Fields): Buffer {
  return session(headers(1, { fields: [...GET, ...fields] }));
}

function asked(fields: Fields): Buffer {
  return session(headers(1, { fields }));
}

/** A request with a body to come. */
function begun(fields: Fields, ...frames: readonly Buffer[]): Buffer {
  return session(headers(1, { fields, flags: FLAG.END_HEADERS }), ...frames);
}

/** A block of fields in one HEADERS frame. */
function block(...bytes: readonly number[]): Buffer {
  const flags = FLAG.END_STREAM | FLAG.END_HEADERS;
  return session(frame({ type: FRAME.HEADERS, stream: 1, flags, payload: Buffer.from(bytes) }));
}

function goaways(ending: Ending, frames: Readonly<Record<string, readonly Buffer[]>>): Table {
  return Object.fromEntries(
    Object.entries(frames).map(([name, each]) => [name, { bytes: session(...each), ending }]),
  );
}

type Table = Record<string, MalformedSession>;

const PREFACES: Table = {
  "a preface with another end": {
    bytes: Buffer.concat([PREFACE.subarray(0, -1), Buffer.from("X")]),
    ending: { kind: "cut" },
  },
  "no SETTINGS": { bytes: Buffer.concat([PREFACE, headers(1)]), ending: PROTOCOL_GOAWAY },
  "a PING before SETTINGS": { bytes: Buffer.concat([PREFACE, ping()]), ending: PROTOCOL_GOAWAY },
  "ones behind the preface": {
    bytes: Buffer.concat([PREFACE, Buffer.alloc(300, 0xff)]),
    ending: PROTOCOL_GOAWAY,
  },
  "HTTP/1.1 behind the preface": {
    bytes: Buffer.concat([PREFACE, Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20))]),
    ending: PROTOCOL_GOAWAY,
  },
  "two prefaces": { bytes: session(PREFACE), ending: SIZE_GOAWAY },
};

const SIZES: Table = goaways(SIZE_GOAWAY, {
  "SETTINGS of 5 bytes": [frame({ type: FRAME.SETTINGS, payload: Buffer.alloc(5) })],
  "an ACK of SETTINGS with a payload": [
    frame({ type: FRAME.SETTINGS, flags: FLAG.ACK, payload: Buffer.alloc(6) }),
  ],
  "a PING of 7 bytes": [frame({ type: FRAME.PING, payload: Buffer.alloc(7) })],
  "a RST_STREAM of 3 bytes": [frame({ type: FRAME.RST_STREAM, stream: 1, payload: Buffer.alloc(3) })],
  "a WINDOW_UPDATE of 5 bytes": [frame({ type: FRAME.WINDOW_UPDATE, payload: Buffer.alloc(5) })],
  "a PRIORITY of 4 bytes": [frame({ type: FRAME.PRIORITY, stream: 1, payload: Buffer.alloc(4) })],
  "a GOAWAY of 7 bytes": [frame({ type: FRAME.GOAWAY, payload: Buffer.alloc(7) })],
  "a frame beyond the largest size": [
    frame({ type: FRAME.HEADERS, stream: 1, flags: FLAG.END_HEADERS, payload: Buffer.alloc(16_385) }),
  ],
  "an unknown frame beyond the largest size": [frame({ type: 0xbe, payload: Buffer.alloc(16_385) })],
  "a frame that says it is 16 MB long": [
    frame({ type: FRAME.DATA, stream: 1, length: 2 ** 24 - 1, payload: Buffer.alloc(100) }),
  ],
}); // prettier-ignore

const SETTINGS: Table = {
  ...goaways(PROTOCOL_GOAWAY, {
    "SETTINGS on a stream": [frame({ type: FRAME.SETTINGS, stream: 1 })],
    "ENABLE_PUSH 2": [settings([SETTING.ENABLE_PUSH, 2])],
    "too small a MAX_FRAME_SIZE": [settings([SETTING.MAX_FRAME_SIZE, 16_383])],
    "too large a MAX_FRAME_SIZE": [settings([SETTING.MAX_FRAME_SIZE, 2 ** 24])],
  }),
  "INITIAL_WINDOW_SIZE beyond 2^31": {
    bytes: session(settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31])),
    ending: FLOW_GOAWAY,
  },
  "an unknown setting": {
    bytes: session(settings([0x99, 1]), headers(1)),
    ending: ANSWER,
    served: 1,
  },
  "an ACK of SETTINGS that were never sent": {
    bytes: session(...Array.from({ length: 3 }, () => frame({ type: FRAME.SETTINGS, flags: FLAG.ACK }))),
    ending: PROTOCOL_GOAWAY,
  },
}; // prettier-ignore

const STREAMS: Table = {
  ...goaways(PROTOCOL_GOAWAY, {
    "DATA on stream 0": [data(0, "x")],
    "HEADERS on stream 0": [headers(0)],
    "HEADERS on an even stream": [headers(2)],
    "DATA before HEADERS": [data(1, "x")],
    "RST_STREAM on stream 0": [numberFrame(FRAME.RST_STREAM, 0, 8)],
    "RST_STREAM before HEADERS": [numberFrame(FRAME.RST_STREAM, 1, 8)],
    "a WINDOW_UPDATE before HEADERS": [numberFrame(FRAME.WINDOW_UPDATE, 1, 1)],
    "PING on a stream": [frame({ type: FRAME.PING, stream: 1, payload: Buffer.alloc(8) })],
    "GOAWAY on a stream": [frame({ type: FRAME.GOAWAY, stream: 1, payload: Buffer.alloc(8) })],
    "PUSH_PROMISE of a client": [
      frame({ type: FRAME.PUSH_PROMISE, stream: 1, flags: FLAG.END_HEADERS, payload: Buffer.alloc(4) }),
    ],
    "padding beyond the frame": [
      frame({ type: FRAME.HEADERS, stream: 1, flags: FLAG.PADDED | FLAG.END_HEADERS, payload: Buffer.from([200, 0x82]) }),
    ],
  }),
  "DATA behind the end": {
    bytes: session(headers(1), data(1, "x")),
    ending: { kind: "goaway", code: ERROR.STREAM_CLOSED },
    served: 1,
  },
  "a stream below the last": {
    bytes: session(headers(5), headers(1)),
    ending: { kind: "nothing" },
    served: 1,
  },
  "an unknown frame": {
    bytes: session(frame({ type: 0xbe, stream: 1, flags: 0xff, payload: Buffer.alloc(9) }), headers(1)),
    ending: ANSWER,
    served: 1,
  },
  "a stream that depends on itself": {
    bytes: session(frame({ type: FRAME.PRIORITY, stream: 1, payload: Buffer.from([0, 0, 0, 1, 3]) }), headers(1)),
    ending: ANSWER,
    served: 1,
  },
}; // prettier-ignore

const WINDOWS: Table = {
  "a WINDOW_UPDATE of 0": {
    bytes: session(numberFrame(FRAME.WINDOW_UPDATE, 0, 0)),
    ending: PROTOCOL_GOAWAY,
  },
  "a WINDOW_UPDATE of 0 on a stream": {
    bytes: begun(HANGING, numberFrame(FRAME.WINDOW_UPDATE, 1, 0)),
    ending: PROTOCOL_GOAWAY,
    served: 1,
  },
  "a window that overflows": {
    bytes: session(numberFrame(FRAME.WINDOW_UPDATE, 0, MOST)),
    ending: FLOW_GOAWAY,
  },
  "a window that overflows on a stream": {
    bytes: begun(HANGING, numberFrame(FRAME.WINDOW_UPDATE, 1, MOST)),
    ending: FLOW_GOAWAY,
    served: 1,
  },
  "a window that overflows by SETTINGS": {
    bytes: begun(HANGING, numberFrame(FRAME.WINDOW_UPDATE, 1, MOST - 65_535), settings([SETTING.INITIAL_WINDOW_SIZE, 65_536])),
    ending: FLOW_GOAWAY,
    served: 1,
  },
  "more DATA than the window": {
    bytes: begun(HANGING, ...Array.from({ length: 30 }, () => data(1, Buffer.alloc(16_384)))),
    ending: { kind: "cut" },
    served: 1,
  },
}; // prettier-ignore

const BLOCKS: Table = {
  ...goaways(PROTOCOL_GOAWAY, {
    "CONTINUATION without HEADERS": [
      frame({ type: FRAME.CONTINUATION, stream: 1, flags: FLAG.END_HEADERS }),
    ],
    "DATA within a block": [headers(1, { flags: FLAG.END_STREAM }), data(1, "x")],
    "PING within a block": [headers(1, { flags: FLAG.END_STREAM }), ping()],
    "CONTINUATION on another stream": [
      headers(1, { flags: FLAG.END_STREAM }),
      frame({ type: FRAME.CONTINUATION, stream: 3, flags: FLAG.END_HEADERS }),
    ],
  }),
  "CONTINUATION behind the end of a block": {
    bytes: session(headers(1), frame({ type: FRAME.CONTINUATION, stream: 1, flags: FLAG.END_HEADERS })),
    ending: PROTOCOL_GOAWAY,
    served: 1,
  },
  "an index beyond the table": { bytes: block(0xff, 0x80, 0x80, 0x01), ending: HPACK_GOAWAY },
  "index 0": { bytes: block(0x80), ending: HPACK_GOAWAY },
  "an index without an end": { bytes: block(...Array<number>(20).fill(0xff)), ending: HPACK_GOAWAY },
  "a bad Huffman code": { bytes: block(0x00, 0x81, 0xff, 0x01, 0x61), ending: HPACK_GOAWAY },
  "a field cut short": { bytes: block(0x82, 0x00, 0x20, 0x61), ending: HPACK_GOAWAY },
  "a table beyond its limit": { bytes: block(0x3f, 0xff, 0xff, 0xff, 0x7f), ending: HPACK_GOAWAY },
  "a new size of the table behind a field": { bytes: block(0x82, 0x20), ending: HPACK_GOAWAY },
}; // prettier-ignore

const FIELDS: Table = {
  ...Object.fromEntries(
    Object.entries({
      "no fields": session(headers(1, { fields: [] })),
      "no method": asked(with_(":method", undefined)),
      "no scheme": asked(with_(":scheme", undefined)),
      "no path": asked(with_(":path", undefined)),
      "an empty path": asked(with_(":path", "")),
      "a path with a blank": asked(with_(":path", "/ HTTP/1.1")),
      "a path with a line break": asked(with_(":path", "/\r\nevil: 1")),
      "a path that is a URL": asked(with_(":path", "http://y/")),
      "no authority": asked(with_(":authority", undefined)),
      "an authority with a line break": asked(with_(":authority", "x\r\nevil: 1")),
      "two methods": plus([":method", "GET"]),
      "a pseudo-header behind a header": asked([["a", "b"], ...GET]),
      "an unknown pseudo-header": plus([":evil", "1"]),
      "a pseudo-header of a response": plus([":status", "200"]),
      "an upper-case name": plus(["Foo", "1"]),
      "Connection": plus(["connection", "close"]),
      "Keep-Alive": plus(["keep-alive", "1"]),
      "Proxy-Connection": plus(["proxy-connection", "close"]),
      "Transfer-Encoding": plus(["transfer-encoding", "chunked"]),
      "Upgrade": plus(["upgrade", "websocket"]),
      "TE that is not trailers": plus(["te", "gzip"]),
      "a length that is no number": plus(["content-length", "+3"]),
      "a length without a body": plus(["content-length", "3"]),
      "two lengths": plus(["content-length", "0"], ["content-length", "0"]),
      "two hosts": asked([...with_(":authority", undefined), ["host", "x"], ["host", "y"]]),
      "a WebSocket without the setting": asked([...with_(":method", "CONNECT"), [":protocol", "websocket"]]),
    }).map(([name, bytes]) => [name, { bytes, ending: PROTOCOL_RESET }]),
  ),
  "too many fields": {
    bytes: plus(...Array.from({ length: 3_000 }, () => ["a", "b"] as const)),
    ending: { kind: "reset", code: ERROR.CALM },
  },
  "a length above the body": {
    bytes: begun([...POST, ["content-length", "5"]], data(1, "abc", FLAG.END_STREAM)),
    ending: PROTOCOL_RESET,
    served: 1,
  },
  "a length below the body": {
    bytes: begun([...POST, ["content-length", "2"]], data(1, "abc", FLAG.END_STREAM)),
    ending: { kind: "goaway", code: ERROR.INTERNAL },
    served: 1,
  },
  "trailers that do not end the stream": {
    bytes: begun(POST, headers(1, { fields: [["a", "b"]], flags: FLAG.END_HEADERS })),
    ending: PROTOCOL_RESET,
    served: 1,
  },
  "trailers with a pseudo-header": {
    bytes: begun(POST, headers(1, { fields: [[":path", "/"]] })),
    ending: PROTOCOL_RESET,
    served: 1,
  },
  "a value with a line break, which is left out": {
    bytes: plus(["a", "b\r\nevil: 1"]),
    ending: ANSWER,
    served: 1,
  },
  "a value with a NUL, which is left out": { bytes: plus(["a", "b\0"]), ending: ANSWER, served: 1 },
  "an unknown method": { bytes: asked(with_(":method", "NONSENSE")), ending: ANSWER, refused: 1 },
  "a method in lower case": { bytes: asked(with_(":method", "get")), ending: ANSWER, refused: 1 },
  "the method PRI": { bytes: asked(with_(":method", "PRI")), ending: ANSWER, refused: 1 },
  "a path beyond ASCII": { bytes: asked(with_(":path", "/\xff")), ending: ANSWER, refused: 1 },
  "too long a path": { bytes: asked(with_(":path", `/${"a".repeat(9_000)}`)), ending: ANSWER, refused: 1 },
  "an unknown expectation": { bytes: plus(["expect", "wonders"]), ending: ANSWER, refused: 1 },
  "a tunnel": { bytes: asked([[":method", "CONNECT"], [":authority", "y:1"]]), ending: ANSWER, refused: 1 },
  "a tunnel that is taken back at once": {
    bytes: session(headers(1, { fields: [[":method", "CONNECT"], [":authority", "y:1"]] }), numberFrame(FRAME.RST_STREAM, 1, 8)),
    ending: { kind: "nothing" },
    refused: 1,
  },
  "a tunnel that is taken back at once, without an error": {
    bytes: session(headers(1, { fields: [[":method", "CONNECT"], [":authority", "y:1"]] }), numberFrame(FRAME.RST_STREAM, 1, 0)),
    ending: { kind: "nothing" },
    refused: 1,
  },
  "a request that is taken back at once": {
    bytes: session(headers(1), numberFrame(FRAME.RST_STREAM, 1, 8)),
    ending: { kind: "nothing" },
    served: 1,
  },
}; // prettier-ignore

const TRUNCATED: Table = {
  "a preface and nothing": { bytes: PREFACE, ending: TIMEOUT },
  "half a head of a frame": { bytes: session(headers(1).subarray(0, 5)), ending: TIMEOUT },
  "half a frame": { bytes: session(headers(1).subarray(0, 20)), ending: TIMEOUT },
  "headers without an end": { bytes: session(headers(1, { flags: FLAG.END_STREAM })), ending: TIMEOUT },
  "headers without an end, behind a request": {
    bytes: session(headers(1), headers(3, { flags: FLAG.END_STREAM })),
    ending: TIMEOUT,
    served: 1,
  },
  "a body without an end": { bytes: begun(POST, data(1, "abc")), ending: TIMEOUT, served: 1, refused: 1 },
  "trailers without an end": {
    bytes: begun(POST, frame({ type: FRAME.HEADERS, stream: 1, payload: encodeFields([["a", "b"]]) })),
    ending: TIMEOUT,
    served: 1,
    refused: 1,
  },
}; // prettier-ignore

/** Beginnings of connections of HTTP/2 that are none, by what is wrong with them. */
export const MALFORMED_HTTP2: Readonly<Record<string, MalformedSession>> = {
  ...PREFACES,
  ...SIZES,
  ...SETTINGS,
  ...STREAMS,
  ...WINDOWS,
  ...BLOCKS,
  ...FIELDS,
  ...TRUNCATED,
};
