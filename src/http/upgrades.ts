import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Exchange } from "./engine.ts";
import { onFirstWrite } from "./first-write.ts";
import { webSocketOf } from "./web-socket-of.ts";

/** How long peers may take to answer that a WebSocket is closing. */
const CLOSE_TIMEOUT_MS = 10_000;
/** nginx's status for a client that left before its response was complete. */
const CLIENT_CLOSED_REQUEST = 499;
const SWITCHING_PROTOCOLS = 101;

/** A connection that speaks another protocol now. */
export interface Switched {
  /** From the request to the 101, or to the end of the connection. */
  readonly exchange: Exchange;
  readonly isWebSocket: boolean;
}

/** What becomes of requests for another protocol. */
export interface UpgradeEvents {
  asked(request: IncomingMessage): void;
  /** It was answered like any other request, or not at all. */
  refused(exchange: Exchange): void;
  switched(switched: Switched): void;
  /** The connection of one that had switched has closed. */
  ended(switched: Switched): void;
}

/** Follows the connections of one endpoint that apps take over, by what is sent on them first. */
export class Upgrades {
  readonly #events: UpgradeEvents;
  readonly #webSockets = new Set<Duplex>();
  readonly #closeCode: number | "off";
  #isClosing = false;

  /** @param closeCode What WebSockets are closed with; `off` leaves that to the app. */
  constructor(events: UpgradeEvents, closeCode: number | "off") {
    this.#events = events;
    this.#closeCode = closeCode;
  }

  /** Follows a connection that the app is about to take over. */
  follow(request: IncomingMessage, socket: Duplex): void {
    const describe = startExchange(request);
    let status = CLIENT_CLOSED_REQUEST;
    let isWebSocket = false;
    this.#events.asked(request);
    onFirstWrite(socket, (head) => {
      status = readStatus(head);
      if (status !== SWITCHING_PROTOCOLS) return;
      isWebSocket = /^sec-websocket-accept:/im.test(head);
      this.#events.switched({ exchange: describe(status), isWebSocket });
      if (isWebSocket) this.#add(socket);
    });
    let sent: Exchange | undefined;
    // The peer may take its time to hang up.
    socket.once("finish", () => (sent = describe(status)));
    socket.once("close", () => {
      if (status === SWITCHING_PROTOCOLS)
        this.#events.ended({ exchange: describe(status), isWebSocket });
      else this.#events.refused(sent ?? describe(status));
    });
  }

  /** Closes every WebSocket of the package `ws`, and those that come from now on. */
  closeWebSockets(): void {
    this.#isClosing = true;
    for (const socket of this.#webSockets) this.#close(socket);
  }

  #add(socket: Duplex): void {
    this.#webSockets.add(socket);
    socket.once("close", () => this.#webSockets.delete(socket));
    // Its WebSocket comes after the head that is being sent.
    if (this.#isClosing) setImmediate(() => this.#close(socket));
  }

  #close(socket: Duplex): void {
    const webSocket = webSocketOf(socket);
    if (webSocket === undefined || this.#closeCode === "off") return;
    webSocket.close(this.#closeCode);
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref();
    socket.once("close", () => clearTimeout(timer));
  }
}

/** Returns what tells of the exchange as it is when asked. */
function startExchange(request: IncomingMessage): (status: number) => Exchange {
  const startedAt = performance.now();
  const { bytesWritten } = request.socket;
  return (status) => {
    const endedAt = performance.now();
    return {
      method: request.method,
      target: request.url,
      status,
      refusedFor: undefined,
      httpVersion: request.httpVersion,
      bytesSent: request.socket.bytesWritten - bytesWritten,
      durationSeconds: (endedAt - startedAt) / 1_000,
      endedAt,
      request,
    };
  };
}

function readStatus(head: string): number {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  // Whatever it is, the app has answered.
  return status === undefined ? 200 : Number(status);
}
