import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import type * as Ws from "ws";
import { endpointContextOf } from "./context.ts";

/** Messages that are longer end the WebSocket with 1009. */
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
const CLOSED_ABNORMALLY = 1006;
/** What a handshake says itself, and what describes a body it does not have. */
const RESERVED_HEADERS = /^(connection|upgrade|sec-websocket-.*|content-.*|transfer-encoding)$/;

/** How a WebSocket is accepted. */
export interface WebSocketOptions {
  /** Subprotocol to agree on, if the client offers it (none). */
  readonly protocol?: string;
  /** Longest message in bytes; a longer one closes the WebSocket with 1009 (16 MiB). */
  readonly maxPayload?: number;
  /** Whether messages may be compressed (false): it costs memory for each WebSocket. */
  readonly perMessageDeflate?: boolean;
}

/** A connection whose client asks for a WebSocket. */
export interface WebSocketRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Accepts WebSockets; the socket is there before the handshake, so that no message comes before its listeners. */
export class Handshake {
  readonly socket: Ws.WebSocket;
  readonly #server: Ws.WebSocketServer;

  constructor({
    protocol,
    maxPayload = MAX_PAYLOAD_BYTES,
    perMessageDeflate = false,
  }: WebSocketOptions = {}) {
    const ws = loadWs();
    this.#server = new ws.WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload,
      perMessageDeflate,
      handleProtocols: (offered) =>
        protocol !== undefined && offered.has(protocol) ? protocol : false,
      // The package makes the socket when the handshake is done; by then the app holds it.
      WebSocket: new Proxy(ws.WebSocket, { construct: () => this.socket }),
    });
    this.socket = Reflect.construct(ws.WebSocket, [null, undefined, this.#server.options]);
    // A peer that breaks the protocol must not end the worker of an app that does not listen; the close tells it.
    this.socket.on("error", () => {});
  }

  /** Answers the client, and opens the socket; false when the client asked wrongly, or is gone. */
  complete({ request, socket, head }: WebSocketRequest, headers: Headers = new Headers()): boolean {
    let isOpen = false;
    this.#server.on("headers", (lines) => lines.push(...linesOf(headers)));
    this.#server.handleUpgrade(request, socket, head, () => {
      isOpen = true;
    });
    if (!isOpen) {
      this.abandon();
      return false;
    }
    endpointContextOf(request).heartbeat.add(this.socket, request.socket);
    return true;
  }

  /** Lets go of a socket that is never going to open. */
  abandon(): void {
    this.socket.emit("close", CLOSED_ABNORMALLY, Buffer.alloc(0));
  }
}

/**
 * Accepts a WebSocket in an `upgrade` hook: it is pinged, and closed when the worker drains.
 *
 * @returns Undefined when the client asked wrongly, or is gone already; it has its answer then.
 * @throws {TypeError} When the request came from another server.
 */
export function acceptWebSocket(
  request: IncomingMessage,
  { socket, head, ...options }: Omit<WebSocketRequest, "request"> & WebSocketOptions,
): Ws.WebSocket | undefined {
  // Told before anything is sent.
  endpointContextOf(request);
  const handshake = new Handshake(options);
  return handshake.complete({ request, socket, head }) ? handshake.socket : undefined;
}

function linesOf(headers: Headers): string[] {
  return [...headers]
    .filter(([name]) => !RESERVED_HEADERS.test(name))
    .map(([name, value]) => `${name}: ${value}`);
}

/** Only for who needs it: most apps have no WebSockets. */
function loadWs(): typeof Ws {
  return createRequire(import.meta.url)("ws");
}
