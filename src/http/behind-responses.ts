import type { Duplex } from "node:stream";
import { responseOn } from "./response-on.ts";

/** Keeps what we answer ourselves behind the responses to what was asked before, or it would pass for one of them. */
export class BehindResponses {
  readonly #waiting = new WeakSet<Duplex>();

  /** Whether there is something to be said on this connection already. */
  isWaiting(socket: Duplex): boolean {
    return this.#waiting.has(socket);
  }

  /** Calls `answer` once no response is under way, or that to a request that is not whole: at once, if there is none. */
  run(socket: Duplex, answer: () => void): void {
    const before = responseOn(socket);
    // A connection that has closed keeps the response it had.
    if (before === undefined || !before.req.complete || socket.destroyed) {
      this.#waiting.delete(socket);
      return answer();
    }
    this.#waiting.add(socket);
    before.once("close", () => this.run(socket, answer));
  }
}
