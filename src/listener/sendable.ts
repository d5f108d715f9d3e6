import { Socket } from "node:net";
import type { ListeningSocket } from "./descriptor-socket.ts";

const CARRIERS = new WeakMap<ListeningSocket, Socket>();

/**
 * A handle of a bound socket in the form that `child.send` takes, any number of times.
 *
 * Node sends servers and sockets, but a server of ours would accept; so a socket that neither reads
 * nor writes is put around the descriptor, and its bare handle is sent. The descriptor stays with
 * the bound socket: the carrier is never closed.
 */
export function sendableHandle(socket: ListeningSocket): unknown {
  let carrier = CARRIERS.get(socket);
  if (carrier === undefined) {
    carrier = new Socket({ fd: socket.fd(), readable: false, writable: false });
    CARRIERS.set(socket, carrier);
  }
  return Reflect.get(carrier, "_handle");
}

/** Closes a handle that was received and is not needed. */
export function discardHandle(handle: unknown): void {
  if (typeof handle !== "object" || handle === null) return;
  if ("close" in handle && typeof handle.close === "function") handle.close();
}
