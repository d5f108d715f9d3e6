import type { Http2Server, OutgoingHttpHeaders, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { answerStream } from "../app/answer-stream.ts";
import { loadHttp2 } from "./load-http2.ts";
import type { Refusal } from "./refusal.ts";
import { readStreamLine, type RequestLine } from "./request-line.ts";
import { SESSION_BOUNDS } from "./session-limits.ts";

/** How long a peer may take for its request, and to close its side. */
const LINGER_MS = 2_000;

let server: Http2Server | undefined;

/**
 * Answers what is asked on a connection of HTTP/2 with a refusal, and says goodbye: other requests the
 * client may send again elsewhere. `told` is called once, with what was asked first, or without it for
 * a client that has left.
 */
export function refuseSession(
  socket: Socket,
  { status, retryAfterSeconds }: Refusal,
  told: (line?: RequestLine) => void,
): void {
  const head: OutgoingHttpHeaders = { ":status": status };
  if (retryAfterSeconds !== undefined) head["retry-after"] = String(retryAfterSeconds);
  const adopt = (session: ServerHttp2Session): void => {
    let isTold = false;
    const tell = (line?: RequestLine): void => {
      if (!isTold) told(line);
      isTold = true;
    };
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    session.on("error", () => {});
    session.on("stream", (stream, headers) => {
      tell(readStreamLine(headers));
      answerStream(stream, head);
      if (stream.destroyed) return;
      // Its body is of no use.
      stream.resume();
      session.close();
    });
    session.once("close", () => {
      clearTimeout(timer);
      tell();
    });
  };
  // Who ends its side ends the session: there is nothing left that it could be told.
  socket.allowHalfOpen = false;
  server ??= loadHttp2().createServer(SESSION_BOUNDS);
  // It comes within the next call.
  server.once("session", adopt);
  server.emit("connection", socket);
  server.off("session", adopt);
}
