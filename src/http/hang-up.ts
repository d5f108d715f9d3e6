import type { Duplex } from "node:stream";

/** How long a peer may take to close its side. */
const LINGER_MS = 2_000;

/**
 * Sends a last answer and waits for the peer to hang up, but not for ever. What it still sends is
 * read and dropped: closing over unread bytes would take the answer away from it.
 */
export function answerAndHangUp(socket: Duplex, answer: string): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
  socket.on("error", () => socket.destroy());
  socket.end(answer);
  socket.resume();
}
