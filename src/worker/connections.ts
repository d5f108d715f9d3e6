import type { Socket } from "node:net";
import type { CloseReason, EndpointCounters } from "../counters.ts";
import { createDeferred, type Deferred } from "../lifecycle/deferred.ts";

/** Every open connection of one endpoint in this worker: counted when it comes and when it goes. */
export class Connections {
  readonly #counters: EndpointCounters;
  readonly #onCount: (open: number) => void;
  readonly #open = new Set<Socket>();
  /** Reasons that only the one who ends a connection knows. */
  readonly #reasons = new WeakMap<Socket, CloseReason>();
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
    this.#counters.countAccepted();
    socket.once("timeout", () => this.#reasons.set(socket, "idle_timeout"));
    socket.once("close", (hadError: boolean) => this.#remove(socket, hadError));
    this.#onCount(this.#open.size);
  }

  /** Takes a connection out of the count, as if it had never come: it was our own check. */
  disown(socket: Socket): void {
    if (!this.#open.delete(socket)) return;
    this.#counters.discountAccepted();
    this.#onCount(this.#open.size);
    this.#announceIfDrained();
  }

  /** Resolves when no connection is open, at once if there is none. */
  drained(): Promise<void> {
    this.#drained ??= createDeferred();
    this.#announceIfDrained();
    return this.#drained.promise;
  }

  /** Ends connections that have not sent a single byte. */
  destroySilent(): void {
    for (const socket of this.#open) if (socket.bytesRead === 0) socket.destroy();
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

  #remove(socket: Socket, hadError: boolean): void {
    if (!this.#open.delete(socket)) return;
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
