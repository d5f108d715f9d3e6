/** What a client of HTTP/2 says first (RFC 9113, section 3.4). */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Types of frames by their numbers. */
export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

/** Identifiers of settings. */
export const SETTING = { ENABLE_PUSH: 2, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5 } as const;

const HEAD_BYTES = 9;

export interface Frame {
  readonly type: number;
  /** (0) */
  readonly flags?: number;
  /** (0, the connection) */
  readonly stream?: number;
  /** (none) */
  readonly payload?: Buffer;
  /** What the frame says of its length (the truth). */
  readonly length?: number;
}

/** One frame, right or wrong. */
export function frame({ type, flags = 0, stream = 0, payload = NOTHING, length }: Frame): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(length ?? payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const NOTHING = Buffer.alloc(0);

/** Names and values in turn, in the order they are sent. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** What every request has. */
export const GET: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "x"],
];

/** A block of fields as literals that are not indexed, whatever they hold (RFC 7541, section 6.2.2). */
export function encodeFields(fields: Fields): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), encodeText(name), encodeText(value)]),
  );
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([encodeLength(bytes.length), bytes]);
}

/** An integer behind a prefix of one bit (RFC 7541, section 5.1). */
function encodeLength(length: number): Buffer {
  if (length < 127) return Buffer.from([length]);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

export interface HeadersOptions {
  /** (a GET of `/`) */
  readonly fields?: Fields;
  /** (END_STREAM and END_HEADERS) */
  readonly flags?: number;
}

/** A HEADERS frame, by default of a whole request. */
export function headers(stream: number, { fields = GET, flags }: HeadersOptions = {}): Buffer {
  return frame({
    type: FRAME.HEADERS,
    flags: flags ?? FLAG.END_STREAM | FLAG.END_HEADERS,
    stream,
    payload: encodeFields(fields),
  });
}

/** A DATA frame. */
export function data(stream: number, bytes: Buffer | string, flags = 0): Buffer {
  return frame({ type: FRAME.DATA, flags, stream, payload: Buffer.from(bytes) });
}

/** A SETTINGS frame of pairs of identifier and value. */
export function settings(...pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [index, [identifier, value]] of pairs.entries()) {
    payload.writeUInt16BE(identifier, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frame({ type: FRAME.SETTINGS, payload });
}

/** A frame whose payload is one number of four bytes: RST_STREAM, WINDOW_UPDATE. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return frame({ type, stream, payload });
}

/** A PING frame. */
export function ping(flags = 0): Buffer {
  return frame({ type: FRAME.PING, flags, payload: Buffer.from("12345678") });
}

/** What begins a session, followed by more. */
export function session(...frames: readonly Buffer[]): Buffer {
  return Buffer.concat([PREFACE, settings(), ...frames]);
}

/** A frame that was received. */
export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The whole frames at the beginning of bytes. */
export function readFrames(bytes: Buffer): ReceivedFrame[] {
  const frames: ReceivedFrame[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return frames;
}
