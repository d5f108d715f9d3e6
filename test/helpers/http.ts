import { once } from "node:events";
import http from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { within } from "./deadline.ts";

const DEADLINE_MS = 30_000;

export interface RequestOptions {
  /** Unix socket to connect to; otherwise `host` and `port`. */
  readonly socketPath?: string;
  /** (127.0.0.1) */
  readonly host?: string;
  readonly port?: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Uint8Array | Readable;
  /** (a connection of its own, closed afterwards) */
  readonly agent?: http.Agent;
  readonly deadlineMs?: number;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
}

export interface Response extends ResponseHead {
  readonly body: Buffer;
  readonly trailers: NodeJS.Dict<string>;
  /** The body as UTF-8. */
  readonly text: () => string;
  readonly json: () => unknown;
}

/** A request whose body is not sent yet, or not to the end. */
export interface OpenRequest {
  readonly request: http.ClientRequest;
  /** Rejects when the connection fails before a response began. */
  readonly response: Promise<http.IncomingMessage>;
}

/** Sends a request and reads the whole response. */
export async function request(options: RequestOptions): Promise<Response> {
  const open = openRequest(options);
  const exchange = finish(open, options.body);
  try {
    return await within(
      options.deadlineMs ?? DEADLINE_MS,
      exchange,
      `a response to ${describe(options)}`,
    );
  } catch (error) {
    exchange.catch(() => {});
    open.request.destroy();
    throw error;
  }
}

/** Sends a request and resolves with the response as soon as its head is there; its body is yours to read. */
export async function stream(options: RequestOptions): Promise<http.IncomingMessage> {
  const { request: sent, response } = openRequest(options);
  sendBody(sent, options.body).catch(() => {});
  return await within(
    options.deadlineMs ?? DEADLINE_MS,
    response,
    `the head of a response to ${describe(options)}`,
  );
}

/** Begins a request and leaves writing its body to you. */
export function openRequest(options: RequestOptions): OpenRequest {
  const sent = http.request({
    ...(options.socketPath === undefined
      ? { host: options.host ?? "127.0.0.1", port: options.port }
      : { socketPath: options.socketPath }),
    method: options.method ?? (options.body === undefined ? "GET" : "POST"),
    path: options.path ?? "/",
    headers: { host: "test", ...lengthOf(options.body), ...options.headers },
    agent: options.agent ?? false,
  });
  // Whoever holds the response sees its failure there; this one must not end the process.
  sent.on("error", () => {});
  const response = once(sent, "response").then(([message]) => message as http.IncomingMessage);
  response.catch(() => {});
  return { request: sent, response };
}

/** Reads a response to its end. */
export async function readResponse(message: http.IncomingMessage): Promise<Response> {
  const chunks = await message.toArray();
  const body = Buffer.concat(chunks as Buffer[]);
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    trailers: message.trailers,
    body,
    text: () => body.toString("utf8"),
    json: () => JSON.parse(body.toString("utf8")) as unknown,
  };
}

async function finish(
  { request: sent, response }: OpenRequest,
  body: RequestOptions["body"],
): Promise<Response> {
  // A server may answer before it has read the body, and close.
  sendBody(sent, body).catch(() => {});
  return await readResponse(await response);
}

async function sendBody(sent: http.ClientRequest, body: RequestOptions["body"]): Promise<void> {
  if (body instanceof Readable) await pipeline(body, sent);
  else sent.end(body);
}

function lengthOf(body: RequestOptions["body"]): http.OutgoingHttpHeaders {
  return body === undefined || body instanceof Readable
    ? {}
    : { "content-length": Buffer.byteLength(body) };
}

function describe({ method = "GET", path = "/", socketPath, port }: RequestOptions): string {
  return `${method} ${path} on ${socketPath ?? port ?? "?"}`;
}
