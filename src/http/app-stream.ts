import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { answerStream } from "../app/answer-stream.ts";
import { requestIdOf } from "../app/request-id.ts";
import type { StreamHandler, StreamRequest } from "../app/streams.ts";
import { countWritten } from "./count-written.ts";
import { ENHANCE_YOUR_CALM, NO_ERROR } from "./http2-codes.ts";
import type { RequestLimits } from "../config/limits.ts";
import { http } from "../node-http.ts";
import type { EngineOptions } from "./engine.ts";
import { findExcess, limitPush } from "./excess.ts";
import { BODY_TOO_LARGE, HEADERS_TOO_LARGE, type Refusal } from "./refusal.ts";

/** nginx's status for a client that left before its response was complete. */
const CLIENT_CLOSED_REQUEST = 499;

/** How long a peer may still send what nobody reads, once it has its response. */
const LINGER_MS = 2_000;

/** A stream for an app that wants no requests. */
export interface AppStream {
  /** The connection it is on. */
  readonly socket: Socket;
  readonly asked: StreamRequest;
  readonly handler: StreamHandler;
}

/** Gives an app a stream of HTTP/2 as it is, within our limits, and writes down what becomes of it. */
export function serveAppStream(
  options: EngineOptions,
  { socket, asked, handler }: AppStream,
): void {
  const { events, limits } = options;
  const { stream, headers } = asked;
  const startedAt = performance.now();
  const request = describe(socket, asked);
  const excess = findExcess(request, limits) ?? findLongHead(asked.raw, limits);
  if (excess !== undefined) {
    events.rejected(excess.reason);
    events.refused({ refusal: excess, socket, request, bytesSent: 0 });
    refuse(stream, excess);
    return;
  }
  let refusal: Refusal | undefined;
  const bytesSent = options.measureBytes ? countWritten(stream) : (): number => 0;
  events.requestStarted(socket);
  stream.once("close", () => {
    const endedAt = performance.now();
    events.requestEnded({
      method: request.method,
      target: request.url,
      status: refusal?.status ?? statusOf(stream),
      refusedFor: refusal?.reason,
      httpVersion: request.httpVersion,
      bytesSent: bytesSent(),
      durationSeconds: (endedAt - startedAt) / 1_000,
      endedAt,
      request,
    });
  });
  if (limits.bodyBytes > 0) {
    limitPush(stream, limits.bodyBytes, () => {
      refusal = BODY_TOO_LARGE;
      events.rejected(refusal.reason);
      // To the app its client is gone: a second answer beside its own would be an error of its.
      if (stream.headersSent) stream.destroy(new Error("The request is too large"));
      else stream.close(ENHANCE_YOUR_CALM);
    });
  }
  headers["x-request-id"] = requestIdOf(request);
  handler.handle(asked, request);
}

/** The session takes more than our limit, so that this is answered. */
function findLongHead(raw: readonly string[], { headerBytes }: RequestLimits): Refusal | undefined {
  const bytes = raw.reduce((sum, text) => sum + text.length, 0);
  return bytes > headerBytes ? HEADERS_TOO_LARGE : undefined;
}

/** What was asked, for logs and limits. */
function describe(socket: Socket, { headers, raw }: StreamRequest): IncomingMessage {
  const request = new http.IncomingMessage(socket);
  request.method = headers[":method"] ?? "";
  request.url = headers[":path"] ?? headers[":authority"] ?? "";
  Object.assign(request, { httpVersion: "2.0", httpVersionMajor: 2, httpVersionMinor: 0 });
  const first = raw.findIndex((text, index) => index % 2 === 0 && !text.startsWith(":"));
  request.headers = headers;
  request.rawHeaders = first === -1 ? [] : raw.slice(first);
  return request;
}

/** Answers in the place of the app, which was not given the stream. */
function refuse(stream: ServerHttp2Stream, { status }: Refusal): void {
  answerStream(stream, { ":status": status });
  // What still comes is of no use, but a peer that sends it must get to read our answer.
  stream.resume();
  const timer = setTimeout(() => stream.close(NO_ERROR), LINGER_MS).unref();
  stream.once("close", () => clearTimeout(timer));
}

function statusOf(stream: ServerHttp2Stream): number {
  const status = stream.sentHeaders?.[":status"];
  return stream.writableFinished && status !== undefined ? Number(status) : CLIENT_CLOSED_REQUEST;
}
