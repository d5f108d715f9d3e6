import type { Socket } from "node:net";
import type { CloseReason, EndpointCounters } from "../counters.ts";
import { createDeferred, type Deferred } from "../lifecycle/deferred.ts";

/** A check of ours asks at once: who has not for so long is a client. */
export const SILENT_MS = 250;

/**
 * Every open connection of one endpoint in this worker. It is open from when it comes until it goes,
 * and counts as accepted from when it is certain that it is not a check of our own: when it asks for
 * something, has been here for a while, or goes. So the count of those accepted never falls.
 */
export class Connections {
  readonly #counters: EndpointCounters;
  readonly #onCount: (open: number) => void;
  readonly #open = new Set<Socket>();
  /** Those not recognized yet, the oldest first, and when they came. */
  readonly #newcomers = new Map<Socket, number>();
  /** Reasons that only the one who ends a connection knows. */
  readonly #reasons = new WeakMap<Socket, CloseReason>();
  readonly #ahead = new WeakMap<Socket, number>();
  #drained: Deferred<void> | undefined;

  /** @param onCount Told the number of open connections whenever it changes. */
  constructor(counters: EndpointCounters, onCount: (open: number) => void = () => {}) {
    this.#counters = counters;
    this.#onCount = onCount;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Counts a connection that was just accepted, until it closes. */
  add(socket: Socket): void {
    this.#open.add(socket);
    this.#newcomers.set(socket, performance.now());
    this.#counters.countArrived();
    this.#follow(socket);
    this.#onCount(this.#open.size);
  }

  /** Goes on with a connection under the socket that was made on it; false when it is gone by now. */
  replace(socket: Socket, successor: Socket): boolean {
    if (!this.#open.delete(socket)) return false;
    this.#open.add(successor);
    const cameAt = this.#newcomers.get(socket);
    if (this.#newcomers.delete(socket) && cameAt !== undefined)
      this.#newcomers.set(successor, cameAt);
    this.#follow(successor);
    return true;
  }

  /** Notes that a connection is a client's. */
  recognize(socket: Socket): void {
    // Asked with every request: to look in an empty map is 40 ns.
    if (this.#newcomers.size > 0 && this.#newcomers.delete(socket))
      this.#counters.countRecognized("client");
  }

  /** Recognizes those that have been here for too long to be a check. */
  recognizeSilent(): void {
    const until = performance.now() - SILENT_MS;
    for (const [socket, cameAt] of this.#newcomers) {
      if (cameAt > until) return;
      this.recognize(socket);
    }
  }

  /** Takes a connection out of the count, as if it had never come: it was our own check. */
  disown(socket: Socket): void {
    // One that is counted already stays counted: a total must not fall.
    if (!this.#newcomers.delete(socket)) return;
    this.#open.delete(socket);
    this.#counters.countRecognized("check");
    this.#onCount(this.#open.size);
    this.#announceIfDrained();
  }

  /** Notes why a connection is about to close, for only the caller knows. */
  attribute(socket: Socket, reason: CloseReason): void {
    this.#reasons.set(socket, reason);
  }

  /** Resolves when no connection is open, at once if there is none. */
  drained(): Promise<void> {
    this.#drained ??= createDeferred();
    this.#announceIfDrained();
    return this.#drained.promise;
  }

  /** Notes bytes that a proxy has sent ahead of its client's: they are not taken for a sign of life. */
  discount(socket: Socket, bytes: number): void {
    this.#ahead.set(socket, bytes);
  }

  /** Ends connections whose client has not sent a single byte. */
  destroySilent(): void {
    for (const socket of this.#open) this.#destroyIfSilent(socket);
  }

  /** Ends a connection whose client has not sent a single byte by then. */
  destroyUnlessHeard(socket: Socket, withinMs: number): void {
    const timer = setTimeout(() => this.#destroyIfSilent(socket), withinMs).unref();
    socket.once("close", () => clearTimeout(timer));
  }

  /** Cuts all that is left; returns how many that were. One that is closing already is not cut. */
  destroyAll(): number {
    const cut = [...this.#open].filter(({ destroyed }) => !destroyed);
    for (const socket of cut) {
      this.#reasons.set(socket, "forced");
      socket.destroy();
    }
    return cut.length;
  }

  #destroyIfSilent(socket: Socket): void {
    if (socket.bytesRead <= (this.#ahead.get(socket) ?? 0)) socket.destroy();
  }

  #follow(socket: Socket): void {
    socket.once("timeout", () => this.#reasons.set(socket, "idle_timeout"));
    socket.once("close", (hadError: boolean) => this.#remove(socket, hadError));
  }

  #remove(socket: Socket, hadError: boolean): void {
    if (!this.#open.delete(socket)) return;
    this.recognize(socket);
    this.#counters.countClosed(this.#reasonOf(socket, hadError));
    this.#onCount(this.#open.size);
    this.#announceIfDrained();
  }

  #reasonOf(socket: Socket, hadError: boolean): CloseReason {
    const known = this.#reasons.get(socket);
    if (known !== undefined) return known;
    if (hadError) return "error";
    return socket.readableEnded ? "client" : "server";
  }

  #announceIfDrained(): void {
    if (this.#open.size === 0) this.#drained?.resolve();
  }
}
