import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { answerStream } from "../app/answer-stream.ts";
import { carry, identify } from "../app/context.ts";
import type { StreamRequest } from "../app/streams.ts";
import { serveAppStream } from "./app-stream.ts";
import type { EngineOptions, HttpEngine } from "./engine.ts";
import { boundFloods } from "./frame-budget.ts";
import { sayGoodbye } from "./goodbye.ts";
import { END_STREAM, NO_ERROR } from "./http2-codes.ts";
import { loadHttp2 } from "./load-http2.ts";
import { createNodeEngine } from "./node.ts";
import { writeRequestHead } from "./request-head.ts";
import { BAD_REQUEST, TUNNEL_REFUSED } from "./refusal.ts";
import { readStreamLine } from "./request-line.ts";
import { onSessionFailure, readSessionFailure, Resets } from "./session-failure.ts";
import { limitSessions } from "./session-limits.ts";
import { StreamSocket } from "./stream-socket.ts";

/** Once we said goodbye, how long a session may stay without a request. */
const GOODBYE_MS = 500;

/** How long a peer may take to close its side. */
const LINGER_MS = 2_000;

/** How requests and answers name it. */
const VERSION = { httpVersion: "2.0", httpVersionMajor: 2, httpVersionMinor: 0 };

/** An app that writes to streams itself may give them messages of any size; over this, new streams are refused. */
const APP_STREAMS_MEMORY_MB = 256;

/** A connection that speaks HTTP/2. */
interface Conversation {
  readonly session: ServerHttp2Session;
  /** We have said goodbye. */
  isEnding: boolean;
  streams: number;
  readonly resets: Resets;
  idle: NodeJS.Timeout | undefined;
  /** Runs from when goodbye was said and no stream is left. */
  farewell: NodeJS.Timeout | undefined;
}

/** Serves HTTP/2: each stream is given to `node:http` as a connection of its own. */
export function createHttp2Engine(options: EngineOptions): HttpEngine {
  const { events, http } = options;
  const { streams: maxStreams } = options.limits;
  const handler = options.app.streams;
  const conversations = new Map<Socket, Conversation>();
  const shedding = new Set<Socket>();
  let isClosing = false;
  const inner = createNodeEngine({
    ...options,
    app: {
      ...options.app,
      handle: (request, response) => {
        Object.assign(request, VERSION);
        options.app.handle(request, response);
      },
      upgrade: undefined,
    },
    events: {
      ...events,
      requestStarted: (socket) => events.requestStarted(connectionOf(socket)),
      refused: ({ line, ...refused }) => {
        if (refused.request !== undefined) Object.assign(refused.request, VERSION);
        events.refused({ ...refused, line: line && { ...line, ...VERSION } });
      },
      checked() {},
      shed() {},
    },
  });
  const server = loadHttp2().createServer({
    ...limitSessions(options.limits),
    ...(handler !== undefined && { maxSessionMemory: APP_STREAMS_MEMORY_MB }),
  });
  server.on("session", (session) => adopt(session));

  function adopt(session: ServerHttp2Session): void {
    const socket = pending;
    if (socket === undefined) return session.destroy();
    const conversation: Conversation = {
      session,
      isEnding: false,
      streams: 0,
      resets: new Resets(),
      idle: undefined,
      farewell: undefined,
    };
    conversations.set(socket, conversation);
    const firstMs = isClosing ? GOODBYE_MS : http.headersTimeoutMs;
    waitIdle(socket, conversation, firstMs);
    events.closing(socket, "client");
    // Our side has ended; the other's is not waited for longer than that.
    socket.once("finish", () => {
      const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
      socket.once("close", () => clearTimeout(timer));
    });
    session.on("error", () => {});
    onSessionFailure(session, (error) => {
      events.closing(socket, "error");
      // Who does not read may not keep it open either.
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
      // Streams that were reset before are told of first.
      setImmediate(() => {
        const reason = readSessionFailure(error, { ...conversation, maxStreams });
        if (reason !== undefined) events.ended(socket, reason, error);
      });
    });
    boundFloods(session);
    session.on("stream", (...[stream, headers, flags, raw]) =>
      serveStream(socket, conversation, { stream, headers, flags, raw }),
    );
    if (handler !== undefined) {
      identify(socket);
      handler.opened(session);
    }
    session.once("close", () => {
      clearTimeout(conversation.idle);
      clearTimeout(conversation.farewell);
      conversations.delete(socket);
      shedding.delete(socket);
    });
  }

  /** The connection whose session is being made, which happens within one call. */
  let pending: Socket | undefined;

  function waitIdle(socket: Socket, conversation: Conversation, ms: number): void {
    clearTimeout(conversation.idle);
    if (ms === 0 || conversation.isEnding) return;
    conversation.idle = setTimeout(() => end(socket, conversation, "idle_timeout"), ms).unref();
  }

  /** Says goodbye; streams that are open, and those on their way, are finished. */
  function end(
    socket: Socket,
    conversation: Conversation,
    reason: "server" | "idle_timeout" | "rebalanced",
  ): void {
    const { session } = conversation;
    if (session.destroyed) return;
    if (!conversation.isEnding && !session.closed) {
      conversation.isEnding = true;
      events.closing(socket, reason);
      sayGoodbye(session, socket);
    }
    if (conversation.streams === 0) cutUnlessSending(socket, conversation);
  }

  /**
   * A session waits for a request whose headers have begun, and they may never end. What was answered
   * is not cut, however slowly it is read.
   */
  function cutUnlessSending(socket: Socket, conversation: Conversation): void {
    clearTimeout(conversation.farewell);
    conversation.farewell = setTimeout(() => {
      const isBusy = !conversation.session.closed || isWriting(socket);
      if (isBusy) cutUnlessSending(socket, conversation);
      else socket.destroy();
    }, LINGER_MS).unref();
  }

  function serveStream(socket: Socket, conversation: Conversation, request: StreamRequest): void {
    const { stream } = request;
    conversation.streams += 1;
    clearTimeout(conversation.idle);
    clearTimeout(conversation.farewell);
    stream.once("close", () => {
      if (stream.aborted || stream.rstCode !== NO_ERROR)
        conversation.resets.count(performance.now());
      // They all end with their session: that so many were open may be why.
      if (conversation.session.destroyed) return;
      conversation.streams -= 1;
      if (conversation.streams > 0) return;
      if (conversation.isEnding || conversation.session.closed)
        return cutUnlessSending(socket, conversation);
      waitIdle(socket, conversation, isClosing ? GOODBYE_MS : http.keepAliveTimeoutMs);
    });
    answer(socket, request);
    if (isClosing) end(socket, conversation, "server");
    else if (shedding.delete(socket)) {
      events.shed(socket);
      end(socket, conversation, "rebalanced");
    }
  }

  function answer(socket: Socket, asked: StreamRequest): void {
    const { stream, headers, flags, raw } = asked;
    if (handler !== undefined) return serveAppStream(options, { socket, asked, handler });
    const hasBody = (flags & END_STREAM) === 0;
    const isTunnel = headers[":method"] === "CONNECT";
    const head = isTunnel ? undefined : writeRequestHead({ headers, raw, hasBody });
    if (head === undefined) {
      const refusal = isTunnel ? TUNNEL_REFUSED : BAD_REQUEST;
      events.rejected(refusal.reason);
      events.refused({ refusal, socket, line: readStreamLine(headers), bytesSent: 0 });
      answerStream(stream, { ":status": refusal.status });
      return;
    }
    const below = new StreamSocket(stream, head, socket);
    carry(below, socket);
    inner.serve(below as unknown as Socket);
  }

  return {
    serve(socket: Socket) {
      // Who ends its side ends the session: there is nothing left that it could be told.
      socket.allowHalfOpen = false;
      pending = socket;
      server.emit("connection", socket);
      pending = undefined;
    },
    announceClose() {
      isClosing = true;
      // A response then ends its stream, however much of the request is still to come.
      inner.announceClose();
      for (const [socket, conversation] of conversations) end(socket, conversation, "server");
    },
    shed(chosen: Iterable<Socket>) {
      shedding.clear();
      for (const socket of chosen) if (conversations.has(socket)) shedding.add(socket);
    },
    closeIdleConnections() {
      for (const [socket, conversation] of conversations)
        if (conversation.streams === 0) end(socket, conversation, "server");
    },
    close() {
      inner.close();
      server.close();
    },
  };
}

/** Whether bytes were given to the kernel that it has not taken yet; Node has no public name for it. */
function isWriting(socket: Socket): boolean {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return false;
  return Number(Reflect.get(handle, "writeQueueSize") ?? 0) > 0;
}

/** The connection of a stream. */
function connectionOf(socket: Socket): Socket {
  const stream: unknown = socket;
  return stream instanceof StreamSocket ? stream.connection : socket;
}
