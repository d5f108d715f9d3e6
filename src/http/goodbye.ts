import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { writeNow } from "./write-now.ts";

/** A GOAWAY without an error whose last stream is the highest there can be. */
const SHUTDOWN_NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");

/** How long a peer may take to show that it knows. */
const ANSWER_MS = 2_000;

/**
 * Ends a session without losing a request that is on its way (RFC 9113, section 6.8). A first GOAWAY
 * says that the end is near, but that every stream is served. When the peer has answered a ping that
 * followed it, all that it sent before it knew is here: only then a second GOAWAY names the last stream,
 * and the session closes when its streams have ended. nginx fails a call whose stream a GOAWAY leaves
 * out, although no app has seen it.
 */
export function sayGoodbye(session: ServerHttp2Session, socket: Socket): void {
  // Nothing can be written there past the session.
  if (socket instanceof TLSSocket) {
    session.close();
    return;
  }
  const timer = setTimeout(close, ANSWER_MS).unref();
  session.once("close", () => clearTimeout(timer));
  announce();

  /** After session.goaway(), nghttp2 takes no more streams and, once there are none, does not read; so it must not know. */
  function announce(): void {
    if (!isOpen()) return;
    // Where much is under way, the answer to a ping says that it has been read.
    session.ping(writeNow(socket, SHUTDOWN_NOTICE) ? close : announce);
  }

  function close(): void {
    clearTimeout(timer);
    if (isOpen()) session.close();
  }

  function isOpen(): boolean {
    return !session.closed && !session.destroyed;
  }
}
