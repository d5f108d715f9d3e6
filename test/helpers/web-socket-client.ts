import { EventEmitter, once } from "node:events";
import { WebSocket } from "ws";
import { within } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEADLINE_MS = 20_000;

/** Where a WebSocket leads: through a TCP port, or straight to a Unix socket. */
export type WebSocketTarget = ({ readonly port: number } | { readonly socketPath: string }) & {
  readonly path?: string;
  /** Whether it speaks TLS; any certificate will do. */
  readonly isSecure?: boolean;
  readonly protocols?: readonly string[];
};

/** A real client of a WebSocket, which remembers how it was closed. */
export class WebSocketClient {
  readonly webSocket: WebSocket;
  /** Code that it was closed with; 1006 when it was cut. */
  readonly closed: Promise<number>;
  /** Headers of the handshake. */
  headers: Readonly<Record<string, unknown>> = {};

  readonly #received: Buffer[] = [];
  readonly #arrivals = new EventEmitter();

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    // From the very beginning: the first message may come along with the handshake.
    webSocket.on("message", (message: Buffer) => {
      this.#received.push(message);
      this.#arrivals.emit("message");
    });
    this.closed = new Promise((resolve) => webSocket.once("close", resolve));
    webSocket.once("upgrade", ({ headers }) => (this.headers = headers));
    webSocket.on("error", () => {});
  }

  /** Connects; the connection is cut when the scope ends. */
  static async open(scope: Scope, target: WebSocketTarget): Promise<WebSocketClient> {
    const { path = "/socket", protocols = [], isSecure = false } = target;
    const url =
      "port" in target
        ? `${isSecure ? "wss" : "ws"}://127.0.0.1:${target.port}${path}`
        : `ws+unix:${target.socketPath}:${path}`;
    const webSocket = new WebSocket(url, [...protocols], { rejectUnauthorized: false });
    const client = new WebSocketClient(webSocket);
    onEnd(scope, () => webSocket.terminate());
    await within(DEADLINE_MS, once(webSocket, "open"), "the WebSocket to open");
    return client;
  }

  /** The next message that was not read yet. */
  async message(): Promise<Buffer> {
    const message = this.#received.shift();
    if (message !== undefined) return message;
    await within(DEADLINE_MS, once(this.#arrivals, "message"), "a message");
    return await this.message();
  }

  /** Sends a message; resolves with the one that comes back. */
  async echo(message: string | Uint8Array): Promise<Buffer> {
    this.webSocket.send(message);
    return await this.message();
  }

  /** The code it is closed with, within the deadline. */
  async closeCode(deadlineMs: number = DEADLINE_MS): Promise<number> {
    return await within(deadlineMs, this.closed, "the WebSocket to close");
  }
}
