import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { IncomingMessage } from "node:http";
import type { Server } from "node:net";
import type { Logger } from "../log/logger.ts";
import { answerStream } from "./answer-stream.ts";
import { logFailure } from "./log-failure.ts";

/** A stream of HTTP/2 that asks for something, as Node gives it. */
export interface StreamRequest {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly flags: number;
  /** Names and values in turn, in the order they were sent. */
  readonly raw: readonly string[];
}

/** Takes the streams of HTTP/2 themselves, in the place of requests. */
export interface StreamHandler {
  /** Told of every session before its first stream. */
  opened(session: ServerHttp2Session): void;
  /** Answers one stream, which is written down as that request; never throws. */
  handle(asked: StreamRequest, request: IncomingMessage): void;
}

/** Whether a server of `node:http2` listens for streams alone, as one of gRPC does. */
export function takesStreams(server: Server): boolean {
  // A listener for requests brings one for streams with it.
  return server.listenerCount("request") === 0 && server.listenerCount("stream") > 0;
}

/** Passes sessions and streams on to a server that listens for them; one that throws costs a 500 and a log line. */
export function adaptStreams(server: Server, log: Logger): StreamHandler {
  return {
    opened: (session) => void server.emit("session", session),
    handle({ stream, headers, flags, raw }, request) {
      // As with any other request, a client that leaves must not end the worker.
      stream.on("error", () => {});
      // It has left already: an app's answer would throw.
      if (stream.closed) return;
      try {
        server.emit("stream", stream, headers, flags, raw);
      } catch (error) {
        logFailure({ request, error, log }, "app failed a request");
        if (stream.destroyed) return;
        // Half an answer must not pass for a whole one: on Node 24 a stream that is closed, with whatever code, ends.
        if (stream.headersSent) stream.destroy(new Error("The app failed"));
        else answerStream(stream, { ":status": 500 });
      }
    },
  };
}
