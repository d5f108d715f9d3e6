import { closeSync } from "node:fs";
import type { BoundSocket } from "node:net";

/**
 * A listening socket that was opened by somebody else and is known by its descriptor, with what we
 * need of `net.BoundSocket`. Nothing here unlinks: whoever opened it has the file, too.
 */
export class DescriptorSocket {
  #descriptor: number | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  fd(): number {
    if (this.#descriptor === undefined)
      throw new TypeError("The descriptor is closed, or not ours");
    return this.#descriptor;
  }

  /** Gives the descriptor to somebody in this process, who closes it. */
  release(): number {
    const descriptor = this.fd();
    this.#descriptor = undefined;
    return descriptor;
  }

  /** Closes our copy; whoever handed it over may have another. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** A bound socket, by whomever. */
export type ListeningSocket = BoundSocket | DescriptorSocket;

/** What `server.listen` takes in this very process; it owns the socket from then on. */
export function toListenTarget(socket: ListeningSocket): BoundSocket | { readonly fd: number } {
  return socket instanceof DescriptorSocket ? { fd: socket.release() } : socket;
}
