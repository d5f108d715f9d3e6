import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
// The global of this name is a getter: 90 ns a request on top of what the clock takes.
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { http } from "../node-http.ts";
import { identify } from "../app/context.ts";
import { beginRequest } from "../app/identity.ts";
import type { EngineOptions, HttpEngine } from "./engine.ts";
import { findExcess, limitBody } from "./excess.ts";
import { findFault } from "./fault.ts";
import { answerAndHangUp } from "./hang-up.ts";
import { IdleTimeouts } from "./idle-timeouts.ts";
import { measureBytes } from "./measure-bytes.ts";
import { NumberedRequest } from "./numbered-request.ts";
import { readParseFailure } from "./parse-failure.ts";
import { readPreface } from "./preface.ts";
import {
  BODY_TOO_LARGE,
  EXPECTATION_FAILED,
  formatRefusal,
  TUNNEL_REFUSED,
  type Refusal,
} from "./refusal.ts";
import { Refuser } from "./refuser.ts";
import { isAnswering, isSending, responseOn } from "./response-on.ts";

/** How often header and request timeouts are looked at. */
const TIMEOUT_CHECK_INTERVAL_MS = 1_000;
/** Once we said goodbye, how long a connection may idle after a response that did not say so yet. */
const GOODBYE_MS = 500;
/** nginx's status for a client that left before its response was complete. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * Serves HTTP/1.1 through `node:http`.
 *
 * @param onPreface Takes over a connection that turns out to speak HTTP/2, and all that it has said; without
 *   it such a connection is refused.
 */
export function createNodeEngine(
  options: EngineOptions,
  onPreface?: (socket: Socket, bytes: Buffer) => void,
): HttpEngine {
  const { app, events, checkTarget, limits, upgrades } = options;
  const sockets = new Set<Socket>();
  /** Connections whose next request is to be the last. */
  const shedding = new Set<Socket>();
  const refuser = new Refuser(events);
  let isClosing = false;
  let mustCloseIdle = false;

  class TimedResponse extends http.ServerResponse<NumberedRequest> {
    readonly startedAt = performance.now();
    /** The app has been given the request, and its end was not told yet. */
    isOpen = false;
    /** What we answered in the place of the app. */
    refusal: Refusal | undefined;

    /**
     * node:http calls this when a response is all with the kernel, just before it sets the idle
     * timeout. A listener for `close` would be one per cent of a short request, and come after that.
     */
    override detachSocket(socket: Socket): void {
      super.detachSocket(socket);
      if (!this.isOpen) return;
      if (this.writableFinished) endRequest(this, socket);
      else endWithClose(this, socket);
    }
  }

  /** For a response that has no connection, because it waits for its turn or the app has taken it off. */
  function endWithClose(response: TimedResponse, socket: Socket): void {
    response.once("close", () => endRequest(response, socket));
  }

  function endRequest(response: TimedResponse, socket: Socket): void {
    if (!response.isOpen) return;
    response.isOpen = false;
    const { req: request } = response;
    const endedAt = performance.now();
    idleTimeouts.answered(socket, endedAt);
    events.requestEnded({
      method: request.method,
      target: request.url,
      status:
        response.refusal?.status ??
        (response.writableFinished ? response.statusCode : CLIENT_CLOSED_REQUEST),
      refusedFor: response.refusal?.reason,
      httpVersion: request.httpVersion,
      bytesSent: options.measureBytes ? measureBytes(socket) : 0,
      durationSeconds: (endedAt - response.startedAt) / 1_000,
      endedAt,
      request,
    });
    // Later: a pipelined response that waits for its turn gets the connection after this one, which looks idle until then.
    if (mustCloseIdle) process.nextTick(closeIdleConnections);
  }

  /** node:http takes a connection for idle as soon as a response is handed over, and would cut what is not sent yet. */
  function closeIdleConnections(): void {
    mustCloseIdle = [...sockets].some(isSending);
    if (!mustCloseIdle) server.closeIdleConnections();
  }

  function onRequest(request: NumberedRequest, response: TimedResponse): void {
    if (request.url === checkTarget) return answerCheck(request, response);
    const { socket } = request;
    // What still comes behind an answer of ours is for nobody.
    if (socket.writableEnded) return;
    const refusal = findFault(request) ?? findExcess(request, limits);
    if (refusal !== undefined) return refuser.refuse(refusal, request, response);
    events.requestStarted(socket);
    response.isOpen = true;
    const isPipelined = response.socket === null;
    if (isPipelined) endWithClose(response, socket);
    beginRequest(request, isPipelined);
    request.isHanded = true;
    if (limits.bodyBytes > 0)
      limitBody(request, limits.bodyBytes, () => cutShort(BODY_TOO_LARGE, response, socket));
    if (isClosing) response.shouldKeepAlive = false;
    else if (shedding.size > 0) shedAfter(request, response);
    app.handle(request, response);
  }

  function shedAfter({ socket }: IncomingMessage, response: ServerResponse): void {
    if (!shedding.delete(socket) || !response.shouldKeepAlive) return;
    response.shouldKeepAlive = false;
    events.shed(socket);
  }

  function answerCheck(request: IncomingMessage, response: ServerResponse): void {
    events.checked(request.socket);
    response.shouldKeepAlive = false;
    response.end();
  }

  /** Answers in the place of the app, if it has not begun to; to the app its client is gone. */
  function cutShort(refusal: Refusal, response: TimedResponse, socket: Socket): void {
    events.rejected(refusal.reason);
    response.refusal = refusal;
    if (response.headersSent || response.socket !== socket) {
      socket.destroy();
      return;
    }
    // Without its connection: what the app may still say would follow our answer.
    response.detachSocket(socket);
    answerAndHangUp(socket, formatRefusal(refusal));
    endRequest(response, socket);
    socket.once("close", () => response.destroy());
  }

  function onClientError(error: Error, socket: Duplex): void {
    // It was answered already, or is going to be, and goes on sending.
    if (socket.writableEnded || refuser.isWaiting(socket)) return;
    const preface = onPreface && readPreface(error, socket);
    if (preface !== undefined && socket instanceof Socket) return onPreface?.(socket, preface);
    const failure = readParseFailure(error);
    const response = responseOn(socket);
    const isWhole = response instanceof TimedResponse && response.req.complete;
    if (failure === undefined || !socket.writable || (isAnswering(socket) && !isWhole)) {
      socket.destroy();
      return;
    }
    // The rest of a request that the app has already; whoever hangs up within it has given it up.
    if (response instanceof TimedResponse && !isWhole) {
      if (failure.isCutOff) return void socket.destroy();
      return cutShort(failure.refusal, response, response.req.socket);
    }
    refuser.refuseUnread(failure, socket, () => onClientError(error, socket));
  }

  const server = http.createServer(
    {
      IncomingMessage: NumberedRequest,
      ServerResponse: TimedResponse,
      maxHeaderSize: limits.headerBytes,
      keepAliveTimeout: options.http.keepAliveTimeoutMs,
      headersTimeout: options.http.headersTimeoutMs,
      requestTimeout: options.http.requestTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
      requireHostHeader: false,
      shouldUpgradeCallback: (request) =>
        upgrade !== undefined &&
        findFault(request) === undefined &&
        (app.wantsUpgrade?.(request) ?? true),
    },
    onRequest,
  );
  server.on("clientError", onClientError);
  // We count them ourselves: node:http would leave out what is above its limit, and tell nobody.
  server.maxHeadersCount = 0;
  server.on("checkExpectation", (request, response) =>
    refuser.refuse(EXPECTATION_FAILED, request, response),
  );
  // Who waits for a word before it sends a body is told that it is too large instead.
  server.on("checkContinue", (request, response) => {
    const isOurs = app.answersExpectations !== true;
    const isWelcome = (findFault(request) ?? findExcess(request, limits)) === undefined;
    if (isOurs && isWelcome) response.writeContinue();
    onRequest(request, response);
  });
  const { connect, upgrade } = app;
  if (upgrade !== undefined) {
    server.on("upgrade", (request, socket, head) => {
      const refusal = findExcess(request, limits);
      if (refusal !== undefined)
        return refuser.refuseConnection(refusal, request.socket, { request });
      beginRequest(request, false);
      request.isHanded = true;
      // To node:http the connection is the app's, which may not listen: a peer that resets would end the worker.
      socket.on("error", () => socket.destroy());
      upgrades.follow(request, socket);
      upgrade(request, socket, head);
    });
  }
  const idleTimeouts = new IdleTimeouts(server.keepAliveTimeout + server.keepAliveTimeoutBuffer);
  // Without a listener node:http would hang up, and nobody would count it.
  server.on("connect", (request, socket, head) => {
    if (connect === undefined)
      return refuser.refuseConnection(TUNNEL_REFUSED, request.socket, { request });
    socket.on("error", () => socket.destroy());
    connect(request, socket, head);
  });
  // Connections come from a listener of ours; without this event node:http checks no timeouts.
  server.emit("listening");

  return {
    serve(socket: Socket) {
      sockets.add(socket);
      identify(socket);
      idleTimeouts.watch(socket);
      socket.once("close", () => {
        sockets.delete(socket);
        shedding.delete(socket);
        idleTimeouts.forget(socket);
        const response = responseOn(socket);
        if (response instanceof TimedResponse) endRequest(response, socket);
        if (mustCloseIdle) closeIdleConnections();
      });
      server.emit("connection", socket);
    },
    announceClose() {
      isClosing = true;
      // Whose head is on its way says no more; the connection then ends as an idle one.
      for (const socket of sockets) {
        const response = responseOn(socket);
        if (response !== undefined) response.shouldKeepAlive = false;
      }
      server.keepAliveTimeout = GOODBYE_MS;
      server.keepAliveTimeoutBuffer = 0;
    },
    shed(chosen: Iterable<Socket>) {
      shedding.clear();
      for (const socket of chosen) if (sockets.has(socket)) shedding.add(socket);
    },
    closeIdleConnections,
    close() {
      idleTimeouts.stop();
      server.close();
    },
  };
}
