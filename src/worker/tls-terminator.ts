import type { Socket } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import type { TlsConfig } from "../config/config.ts";
import type { HandshakeFailure } from "../counters.ts";
import { answerAndHangUp } from "../http/hang-up.ts";
import { secureContextOptions, type TlsCredentials } from "../tls/credentials.ts";
import { lookAtFirstBytes } from "../http/first-bytes.ts";
import { findBreak } from "./find-break.ts";
import { judgeFailure } from "./handshake-failure.ts";

/** The type of a TLS record that holds a part of the handshake: no TLS connection begins with another. */
const HANDSHAKE_RECORD = 0x16;
const PLAIN_TEXT =
  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 25\r\n\r\nThis endpoint wants TLS.\n";

export interface TlsTerminatorOptions {
  readonly tls: TlsConfig;
  readonly credentials: TlsCredentials;
  /** Protocols to choose from, the one we prefer first. */
  readonly alpnProtocols: readonly string[];
  /** Target of our own check, which comes without TLS: no certificate of a client is at hand for it. */
  readonly checkTarget: string;
  /** From the connection to the end of its handshake, in milliseconds. */
  readonly timeoutMs: number;
}

/** What becomes of a connection that does not close without a word. */
export interface Handshake {
  /** The peer speaks TLS; if the connection closes now, this has failed, and why is told a moment later. */
  begun(): void;
  /** The end: all that follows is encrypted. */
  secured(secure: TLSSocket): void;
  /** The end: it is our own check, whose request is still to be read from the connection. */
  checked(): void;
  /** The end: the connection is closing, or has closed. */
  failed(failure: HandshakeFailure, error?: Error): void;
}

interface Pending extends Handshake {
  readonly timer: NodeJS.Timeout;
  hasBegun: boolean;
}

/** Turns accepted connections into encrypted ones. */
export class TlsTerminator {
  readonly #options: TlsTerminatorOptions;
  readonly #server: tls.Server;
  /** By the connections they are made on. */
  readonly #pending = new Map<Socket, Pending>();
  readonly #checkLine: string;

  constructor(options: TlsTerminatorOptions) {
    this.#options = options;
    this.#checkLine = `GET ${options.checkTarget} HTTP/1.1\r\n`;
    const { clientAuth } = options.tls;
    this.#server = tls.createServer({
      ...secureContextOptions(options.credentials, options.tls),
      requestCert: clientAuth !== "none",
      rejectUnauthorized: clientAuth === "require",
      ALPNProtocols: [...options.alpnProtocols],
    });
    this.#server.on("secureConnection", (secure) => this.#secure(secure));
    this.#server.on("tlsClientError", (error, secure) => {
      const socket = socketBelow(secure);
      if (socket !== undefined) this.#fail(socket, judgeFailure(error, secure), error);
      secure.destroy();
    });
  }

  /** Begins the handshake on a connection. */
  accept(socket: Socket, handshake: Handshake): void {
    const { timeoutMs } = this.#options;
    const timer = setTimeout(() => this.#fail(socket, "timeout"), timeoutMs).unref();
    this.#pending.set(socket, { ...handshake, timer, hasBegun: false });
    // What there is to say of a failure comes after the close.
    socket.once("close", () => setImmediate(() => this.#close(socket)));
    // Told of by the connection that is made on it.
    socket.on("error", () => {});
    lookAtFirstBytes(socket, {
      judge: (bytes) => this.#judge(bytes),
      decided: (kind) => this.#begin(socket, kind),
    });
  }

  /** Proves itself with these on connections that come from now on. */
  renew(credentials: TlsCredentials): void {
    this.#server.setSecureContext(secureContextOptions(credentials, this.#options.tls));
  }

  #judge(bytes: Buffer): "tls" | "check" | "plain" | undefined {
    if (bytes[0] === HANDSHAKE_RECORD) return "tls";
    const begin = bytes.toString("latin1", 0, this.#checkLine.length);
    if (begin === this.#checkLine) return "check";
    return this.#checkLine.startsWith(begin) ? undefined : "plain";
  }

  #begin(socket: Socket, kind: "tls" | "check" | "plain"): void {
    if (kind === "check") {
      this.#settle(socket)?.checked();
    } else if (kind === "plain") {
      this.#settle(socket)?.failed("not_tls");
      answerAndHangUp(socket, PLAIN_TEXT);
    } else {
      this.#shakeHands(socket);
    }
  }

  #shakeHands(socket: Socket): void {
    const pending = this.#pending.get(socket);
    if (pending === undefined) return;
    pending.hasBegun = true;
    pending.begun();
    // A peer that leaves in the middle must not be waited for.
    socket.allowHalfOpen = false;
    this.#server.emit("connection", socket);
  }

  /** One that only connected, as probes do, has failed at nothing. */
  #close(socket: Socket): void {
    const pending = this.#settle(socket);
    if (pending?.hasBegun === true) pending.failed("closed");
  }

  #secure(secure: TLSSocket): void {
    const socket = socketBelow(secure);
    const handshake = socket && this.#settle(socket);
    if (socket === undefined || handshake === undefined) {
      secure.destroy();
      return;
    }
    // A client that half-closes still gets its answer.
    secure.allowHalfOpen = true;
    handshake.secured(secure);
    // They are sent within this turn.
    setImmediate(() => endIfBroken(socket, secure));
  }

  #fail(socket: Socket, failure: HandshakeFailure, error?: Error): void {
    this.#settle(socket)?.failed(failure, error);
    socket.destroy();
  }

  #settle(socket: Socket): Pending | undefined {
    const handshake = this.#pending.get(socket);
    clearTimeout(handshake?.timer);
    this.#pending.delete(socket);
    return handshake;
  }
}

/**
 * Behind the handshake Node sends session tickets, and tells nobody when the client has reset the
 * connection by then. What was read before is still served, but each response waits behind the tickets,
 * and no error and no timeout would ever end that.
 */
function endIfBroken(socket: Socket, secure: TLSSocket): void {
  if (secure.destroyed) return;
  const error = findBreak(socket);
  if (error !== undefined) secure.destroy(error);
}

/** The connection that an encrypted one is made on; Node has no public name for it. */
function socketBelow(secure: TLSSocket): Socket | undefined {
  return Reflect.get(secure, "_parent");
}
