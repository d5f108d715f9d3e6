import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { WebSocket } from "ws";

const OPEN = 1;

interface Pulse {
  readonly connection: Pick<Socket, "bytesRead">;
  /** What had come in when it was pinged last; undefined while it has not been. */
  pingedAt: number | undefined;
}

/** The part of a WebSocket that it needs. */
export type Pingable = Pick<WebSocket, "isPaused" | "ping" | "readyState" | "terminate"> & {
  once(event: "close", listener: () => void): unknown;
};

/** Pings WebSockets, and cuts those that have sent nothing from one ping to the next. */
export class Heartbeat {
  readonly #intervalMs: number;
  readonly #pulses = new Map<Pingable, Pulse>();
  #timer: NodeJS.Timeout | undefined;

  /** @param intervalMs Time between two pings; 0 is never. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Pings a WebSocket until it closes. */
  add(webSocket: Pingable, connection: Pulse["connection"]): void {
    if (this.#intervalMs === 0) return;
    this.#pulses.set(webSocket, { connection, pingedAt: undefined });
    webSocket.once("close", () => this.#remove(webSocket));
    this.#timer ??= setInterval(() => void this.#beat(), this.#intervalMs).unref();
  }

  #remove(webSocket: Pingable): void {
    this.#pulses.delete(webSocket);
    if (this.#pulses.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #beat(): Promise<void> {
    // Timers come before I/O: after a long turn of the app, pongs wait to be read.
    await nextTurn();
    for (const [webSocket, pulse] of this.#pulses) {
      if (webSocket.readyState !== OPEN) continue;
      const { bytesRead } = pulse.connection;
      // Where the app reads nothing, silence says nothing.
      const isSilent = pulse.pingedAt === bytesRead && !webSocket.isPaused;
      if (isSilent) webSocket.terminate();
      else webSocket.ping();
      pulse.pingedAt = bytesRead;
    }
  }
}
