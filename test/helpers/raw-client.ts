import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { within } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEADLINE_MS = 15_000;

/** A bare connection that sends what it is told and never hangs up by itself. */
export class RawClient {
  readonly socket: Socket;
  readonly #closed: Promise<unknown>;
  readonly #ended: Promise<unknown>;
  #received = "";

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#closed = new Promise((resolve) => socket.once("close", resolve));
    this.#ended = new Promise((resolve) => socket.once("end", resolve).once("close", resolve));
    socket.on("error", () => {});
    socket.setEncoding("latin1").on("data", (text: string) => (this.#received += text));
  }

  /** Connects; the connection is cut when the scope ends. */
  static async open(scope: Scope, target: NetConnectOpts): Promise<RawClient> {
    const socket = connect({ ...target, allowHalfOpen: true });
    onEnd(scope, () => socket.destroy());
    const client = new RawClient(socket);
    await within(DEADLINE_MS, once(socket, "connect"), "the connection");
    return client;
  }

  /** All that came so far, a character a byte. */
  get received(): string {
    return this.#received;
  }

  send(bytes: string): this {
    this.socket.write(bytes, "latin1");
    return this;
  }

  /** Resolves with everything received once that matches. */
  async until(pattern: RegExp, deadlineMs: number = DEADLINE_MS): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const check = (): void => {
      if (pattern.test(this.#received)) resolve(this.#received);
    };
    const giveUp = (): void => reject(new Error(`Closed after: ${this.#received}`));
    this.socket.on("data", check).once("close", giveUp);
    check();
    if (this.socket.destroyed) giveUp();
    try {
      return await within(deadlineMs, promise, `${pattern} after: ${this.#received}`);
    } finally {
      this.socket.off("data", check).off("close", giveUp);
    }
  }

  /** Resolves with everything received once the server will send no more. */
  async ended(deadlineMs: number = DEADLINE_MS): Promise<string> {
    await within(deadlineMs, this.#ended, `the end after: ${this.#received}`);
    return this.#received;
  }

  /** Resolves when the connection is gone both ways. */
  async closed(deadlineMs: number = DEADLINE_MS): Promise<void> {
    await within(deadlineMs, this.#closed, "the connection to close");
  }

  /** Hangs up. */
  async close(): Promise<void> {
    this.socket.destroy();
    await this.closed();
  }
}
