import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { WebSocket } from "ws";
import type { Logger } from "../log/logger.ts";
import type { App } from "./app.ts";
import type { ContextFactory, RequestContext } from "./context.ts";
import type { WebSocketOptions } from "./handshake.ts";
import { failRequest } from "./node.ts";
import { refuseUpgrade, UpgradeRequiredError } from "./upgrade-required.ts";

const FETCH_MARK: unique symbol = Symbol.for("outrigger.fetch");
/** Methods that a `Request` refuses (https://fetch.spec.whatwg.org/#forbidden-method). */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);
/** Nothing is read ahead: a body that the app leaves alone stays with node:http, which then skips it. */
const ON_DEMAND = new CountQueuingStrategy({ highWaterMark: 0 });

/** A web-standard handler. */
export type FetchHandler = (request: Request, context: FetchContext) => unknown;

/** What a fetch handler is given with its request. */
export interface FetchContext extends RequestContext {
  /**
   * Accepts the WebSocket that the client asks for, once the handler returns the response. The socket opens
   * then; listeners belong on it before.
   *
   * @throws {UpgradeRequiredError} When the client asks for none; uncaught, it is answered 426.
   */
  upgradeWebSocket(options?: WebSocketOptions): WebSocketUpgrade;
}

/** A WebSocket to be, and what accepts it. */
export interface WebSocketUpgrade {
  readonly socket: WebSocket;
  /** What the handler is to return; its headers go with the handshake. */
  readonly response: Response;
}

/** Marks a function as a fetch handler, which cannot be told from a Node handler by looking. */
export function markFetchHandler<Handler extends FetchHandler>(handler: Handler): Handler {
  return Object.defineProperty(handler, FETCH_MARK, { value: true });
}

/** Whether a function was marked by `markFetchHandler`. */
export function isFetchHandler(value: unknown): value is FetchHandler {
  return typeof value === "function" && FETCH_MARK in value;
}

export interface FetchOptions {
  readonly log: Logger;
  readonly createContext: ContextFactory;
}

/** Calls a fetch handler with a `Request` made of Node's, and sends its `Response`. */
export function adaptFetch(
  fetch: FetchHandler,
  { log, createContext }: FetchOptions,
): App["handle"] {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (FORBIDDEN_METHODS.has(request.method ?? "")) {
      response.writeHead(501).end();
      return;
    }
    const context = Object.assign(createContext(request), { upgradeWebSocket: refuseUpgrade });
    const webRequest = toRequest(request, response, context);
    await sendResponse(await callFetch(fetch, webRequest, context), response);
  }
  return (request, response) => {
    answer(request, response).catch((error: unknown) =>
      failRequest({ request, response, error, log }),
    );
  };
}

/** Calls a fetch handler, and holds it to its type. */
export async function callFetch(
  fetch: FetchHandler,
  request: Request,
  context: FetchContext,
): Promise<Response> {
  try {
    const answered: unknown = await fetch(request, context);
    if (answered instanceof Response) return answered;
    throw refuseAnswer(answered);
  } catch (error) {
    if (error instanceof UpgradeRequiredError) return error.getResponse();
    throw error;
  }
}

function refuseAnswer(answered: unknown): TypeError {
  const sentence = `fetch returned ${answered === null ? "null" : typeof answered}, not a Response`;
  const isStranger = typeof answered === "object" && answered !== null;
  return new TypeError(
    isStranger
      ? `${sentence}: return the global Response, not one imported from a package`
      : sentence,
  );
}

/** Makes a `Request` of Node's; its signal aborts when the client leaves before the response is complete. */
export function toRequest(
  request: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
): Request {
  const { method = "GET" } = request;
  const url = parseTarget(request.url ?? "/", context);
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(url, {
    method,
    headers: toHeaders(request.rawHeaders, context),
    signal: abortOnDisconnect(response),
    ...(hasBody ? { body: Readable.toWeb(request, { strategy: ON_DEMAND }), duplex: "half" } : {}),
  });
}

/** The client chose both parts: what a `Request` cannot have as its URL must not become a 500. */
function parseTarget(
  target: string,
  { scheme, host = "localhost" }: Pick<RequestContext, "scheme" | "host">,
): URL {
  const base = `${scheme}://${isHost(host) ? host : "localhost"}`;
  // Concatenated, not resolved: a target of //evil.example/ is a path, not a host.
  if (target.startsWith("/") && URL.canParse(base + target)) return new URL(base + target);
  const url = new URL(URL.canParse(target) ? target : base);
  url.protocol = scheme;
  url.username = "";
  url.password = "";
  return url;
}

/** Whether it is a host and nothing more: a path or a user in it would become part of the URL. */
function isHost(host: string): boolean {
  return /^[^\s/?#@\\]+$/.test(host) && URL.canParse(`http://${host}`);
}

function toHeaders(raw: readonly string[], { requestId }: RequestContext): Headers {
  const headers = new Headers();
  for (let index = 0; index + 1 < raw.length; index += 2)
    headers.append(raw[index] ?? "", raw[index + 1] ?? "");
  headers.set("x-request-id", requestId);
  return headers;
}

function abortOnDisconnect(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Sends a `Response` through Node's. */
export async function sendResponse(answer: Response, response: ServerResponse): Promise<void> {
  response.statusCode = answer.status;
  if (answer.statusText !== "") response.statusMessage = answer.statusText;
  for (const [name, value] of answer.headers)
    if (name !== "set-cookie") response.setHeader(name, value);
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  if (answer.body === null || response.req.method === "HEAD") {
    response.end();
    await answer.body?.cancel();
    return;
  }
  // Sent before the first chunk: a stream may take its time, and its client waits for the status.
  response.flushHeaders();
  await pipeline(Readable.fromWeb(answer.body), response);
}
