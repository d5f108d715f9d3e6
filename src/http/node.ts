import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
// The global of this name is a getter: 90 ns a request on top of what the clock takes.
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import type { RejectReason } from "../counters.ts";
import { errnoOf } from "../errors.ts";
import type { EngineOptions, HttpEngine } from "./engine.ts";
import { answerAndHangUp } from "./hang-up.ts";
import { IdleTimeouts } from "./idle-timeouts.ts";

/** How often header and request timeouts are looked at. */
const TIMEOUT_CHECK_INTERVAL_MS = 1_000;
/** Once we said goodbye, how long a connection may idle after a response that did not say so yet. */
const GOODBYE_MS = 500;
/** nginx's status for a client that left before its response was complete. */
const CLIENT_CLOSED_REQUEST = 499;

interface Rejection {
  readonly reason: RejectReason;
  readonly statusLine: string;
}

const BAD_REQUEST: Rejection = { reason: "bad_request", statusLine: "400 Bad Request" };
const REJECTIONS: Readonly<Record<string, Rejection>> = {
  HPE_HEADER_OVERFLOW: {
    reason: "headers_too_large",
    statusLine: "431 Request Header Fields Too Large",
  },
  ERR_HTTP_REQUEST_TIMEOUT: { reason: "request_timeout", statusLine: "408 Request Timeout" },
};

/** Serves HTTP/1.1 through `node:http`. */
export function createNodeEngine(options: EngineOptions): HttpEngine {
  const { app, events, checkTarget } = options;
  const sockets = new Set<Socket>();
  /** Connections whose next request is to be the last. */
  const shedding = new Set<Socket>();
  let isClosing = false;
  let mustCloseIdle = false;

  class TimedResponse extends http.ServerResponse {
    readonly startedAt = performance.now();
    /** The app has been given the request, and its end was not told yet. */
    isOpen = false;

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
      status: response.writableFinished ? response.statusCode : CLIENT_CLOSED_REQUEST,
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

  function onRequest(request: IncomingMessage, response: TimedResponse): void {
    if (request.url === checkTarget) return answerCheck(request, response);
    if (lacksHost(request)) return refuse(response, 400);
    const { socket } = request;
    events.requestStarted(socket);
    response.isOpen = true;
    if (response.socket === null) endWithClose(response, socket);
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

  /** A request that is none; node:http would answer it by itself, and nobody would count it. */
  function refuse(response: ServerResponse, status: 400 | 417): void {
    events.rejected("bad_request");
    response.shouldKeepAlive = false;
    response.statusCode = status;
    response.end();
  }

  function onClientError(error: Error, socket: Duplex): void {
    // It was answered already, and goes on sending.
    if (socket.writableEnded) return;
    const code = errnoOf(error) ?? "";
    const rejection = REJECTIONS[code] ?? (code.startsWith("HPE_") ? BAD_REQUEST : undefined);
    if (rejection === undefined || !socket.writable || isAnswering(socket)) {
      socket.destroy();
      return;
    }
    events.rejected(rejection.reason);
    answerAndHangUp(
      socket,
      `HTTP/1.1 ${rejection.statusLine}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
  }

  const server = http.createServer(
    {
      ServerResponse: TimedResponse,
      keepAliveTimeout: options.http.keepAliveTimeoutMs,
      headersTimeout: options.http.headersTimeoutMs,
      requestTimeout: options.http.requestTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
      requireHostHeader: false,
    },
    onRequest,
  );
  server.on("clientError", onClientError);
  server.on("checkExpectation", (_request, response) => refuse(response, 417));
  const { upgrade } = app;
  if (upgrade !== undefined) {
    server.on("upgrade", (request, socket, head) => {
      // To node:http the connection is the app's, which may not listen: a peer that resets would end the worker.
      socket.on("error", () => socket.destroy());
      upgrade(request, socket, head);
    });
  }
  const idleTimeouts = new IdleTimeouts(server.keepAliveTimeout + server.keepAliveTimeoutBuffer);
  const { connect } = app;
  if (connect !== undefined) {
    server.on("connect", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      connect(request, socket, head);
    });
  }
  if (app.answersExpectations === true) server.on("checkContinue", onRequest);
  // Connections come from a listener of ours; without this event node:http checks no timeouts.
  server.emit("listening");

  return {
    serve(socket: Socket) {
      sockets.add(socket);
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

/** Bytes that had been sent on a connection when a response ended last; one may end after its connection. */
const SENT_BEFORE = Symbol("sent before");

/** Kept on the socket itself: a map of sockets costs more than all the rest of the measurement. */
interface MeasuredSocket extends Socket {
  [SENT_BEFORE]?: number;
}

/** Bytes sent since the last response on this connection ended. */
function measureBytes(socket: MeasuredSocket): number {
  const { bytesWritten } = socket;
  const before = socket[SENT_BEFORE] ?? 0;
  socket[SENT_BEFORE] = bytesWritten;
  return bytesWritten - before;
}

/** HTTP/1.1 wants one in every request (RFC 9112, section 3.2). */
function lacksHost({ httpVersion, headers }: IncomingMessage): boolean {
  return headers.host === undefined && httpVersion === "1.1";
}

/** Whether the head of a response is already on its way on this connection. */
function isAnswering(socket: Duplex): boolean {
  return responseOn(socket)?.headersSent === true;
}

/** Whether the app has ended a response that is not all with the kernel yet. */
function isSending(socket: Duplex): boolean {
  return responseOn(socket)?.writableEnded === true;
}

function responseOn(socket: Duplex): ServerResponse | undefined {
  if (!("_httpMessage" in socket)) return undefined;
  return socket._httpMessage instanceof http.ServerResponse ? socket._httpMessage : undefined;
}
