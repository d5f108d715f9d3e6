import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { CANCEL, INTERNAL_ERROR, NO_ERROR } from "./http2-codes.ts";
import type { RequestHead } from "./request-head.ts";
import { ResponseDecoder, type Fields } from "./response-decoder.ts";

const LAST_CHUNK = "0\r\n";
/** How long a peer may still send what nobody reads, once it has its response. */
const LINGER_MS = 2_000;
/** What is given to the session at once: of 128 streams it is less than what makes a session refuse new ones. */
const PART_BYTES = 64 * 1024;

/**
 * One HTTP/2 stream as a connection that carries one HTTP/1.1 request. So `node:http` serves it, with
 * the very request and response objects that apps and frameworks are made for. Flow control reaches
 * from the app to the peer: nothing is read that nobody asked for, and a write ends when it was sent.
 */
export class StreamSocket extends Duplex {
  /** The connection that the stream is on. */
  readonly connection: Socket;
  readonly #stream: ServerHttp2Stream;
  readonly #decoder: ResponseDecoder;
  readonly #isChunked: boolean;
  #requestTrailers: IncomingHttpHeaders | undefined;
  #responseTrailers: Fields = {};
  /** The last bytes of the response have been taken. */
  #isAnswered = false;
  #isClosingSoon = false;
  /** Nobody wants the rest of the request. */
  #isCut = false;
  #bytesWritten = 0;

  constructor(stream: ServerHttp2Stream, head: RequestHead, connection: Socket) {
    super({ allowHalfOpen: true, emitClose: true });
    this.connection = connection;
    this.#stream = stream;
    this.#isChunked = head.isChunked;
    this.#decoder = new ResponseDecoder(head.method, {
      informed: (status, fields) => stream.additionalHeaders({ ...fields, ":status": status }),
      head: (status, fields, isLast) => this.#respond(status, fields, isLast),
      data: (bytes) => stream.write(bytes),
      end: (trailers) => {
        this.#responseTrailers = trailers;
        this.#isAnswered = true;
        stream.end();
      },
    });
    stream.on("trailers", (trailers: IncomingHttpHeaders) => (this.#requestTrailers = trailers));
    stream.on("data", (chunk: Buffer) => this.#pass(chunk));
    stream.once("end", () => this.#passEnd());
    stream.on("wantTrailers", () => this.#sendTrailers());
    stream.on("error", () => {});
    stream.once("close", () => this.destroy(this.#isAnswered ? undefined : new StreamCut()));
    stream.pause();
    this.push(head.text, "latin1");
  }

  /** Of the connection; apps look for them here. */
  get remoteAddress(): string | undefined {
    return this.connection.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.connection.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.connection.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.connection.localAddress;
  }

  get localPort(): number | undefined {
    return this.connection.localPort;
  }

  /** Absent on a plain connection, as on its socket. */
  get encrypted(): boolean | undefined {
    return Reflect.get(this.connection, "encrypted");
  }

  get authorized(): boolean | undefined {
    return Reflect.get(this.connection, "authorized");
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** Timeouts are those of the session. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#bytesWritten += chunk.length;
    this.#send(chunk, done);
  }

  #send(bytes: Buffer, done: (error?: Error) => void): void {
    const rest = bytes.subarray(PART_BYTES);
    try {
      this.#decoder.write(rest.length === 0 ? bytes : bytes.subarray(0, PART_BYTES));
    } catch (error) {
      // HTTP/2 forbids what HTTP/1.1 let pass, such as two values of a field that has one.
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const next = rest.length === 0 ? done : (): void => this.#send(rest, done);
    if (this.#stream.destroyed) return done();
    if (!this.#stream.writableNeedDrain) return next();
    const go = (): void => {
      this.#stream.off("drain", go).off("close", go);
      next();
    };
    this.#stream.on("drain", go).on("close", go);
  }

  override _final(done: () => void): void {
    this.#decoder.end();
    if (this.#isAnswered) this.#closeSoon();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#isAnswered) this.#closeSoon();
    else if (!this.#stream.destroyed) {
      this.#stream.close(error === null ? CANCEL : INTERNAL_ERROR);
    }
    done(error);
  }

  /** The peer may never end its request: then its side is closed, too, once our response had time to get there. */
  #closeSoon(): void {
    const stream = this.#stream;
    if (this.#isClosingSoon || stream.destroyed || stream.readableEnded) return;
    this.#isClosingSoon = true;
    const cut = (): void => {
      this.#isCut = true;
      stream.close(NO_ERROR);
      // It closes once what has come of the request is read, by whomever.
      stream.resume();
    };
    const timer = setTimeout(cut, LINGER_MS).unref();
    stream.once("close", () => clearTimeout(timer));
  }

  #sendTrailers(): void {
    try {
      this.#stream.sendTrailers(this.#responseTrailers);
    } catch {
      // HTTP/2 forbids what HTTP/1.1 let pass; there is nobody to tell but the peer.
      this.#stream.close(INTERNAL_ERROR);
    }
  }

  #respond(status: number, fields: Fields, isLast: boolean): void {
    this.#isAnswered = isLast;
    this.#stream.respond(
      { ...fields, ":status": status },
      isLast ? { endStream: true } : { waitForTrailers: true },
    );
  }

  #pass(chunk: Buffer): void {
    if (this.#isCut) return;
    const text = this.#isChunked ? frame(chunk) : chunk;
    if (!this.push(text)) this.#stream.pause();
  }

  #passEnd(): void {
    if (!this.#isChunked) return;
    const trailers = Object.entries(this.#requestTrailers ?? {})
      .filter(([name]) => !name.startsWith(":"))
      .map(([name, value]) => `${name}: ${String(value)}\r\n`);
    this.push(`${LAST_CHUNK}${trailers.join("")}\r\n`, "latin1");
  }
}

/** A client that has taken its request back; known by the code, as one that resets its connection is. */
class StreamCut extends Error {
  readonly code = "ECONNRESET";

  constructor() {
    super("The stream was reset");
  }
}

function frame(chunk: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, CRLF]);
}

const CRLF = Buffer.from("\r\n");
