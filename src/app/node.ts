import type { IncomingMessage, ServerResponse } from "node:http";
import { describeError, errnoOf } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { endpointOf } from "./context.ts";
import type { App, NodeHandler } from "./app.ts";

/** Whether a value can be called as a Node `(req, res)` handler; Express and connect apps are such functions. */
export function isNodeHandler(value: unknown): value is NodeHandler {
  return typeof value === "function";
}

/** Calls a `(req, res)` handler; one that throws, or whose promise rejects, costs a 500 and a log line. */
export function adaptNodeHandler(handler: NodeHandler, log: Logger): App["handle"] {
  return (request, response) => {
    try {
      const result = handler(request, response);
      if (result instanceof Promise)
        result.catch((error: unknown) => failRequest({ request, response, error, log }));
    } catch (error) {
      failRequest({ request, response, error, log });
    }
  };
}

/** What an app failed at. */
export interface Failure {
  readonly request: IncomingMessage;
  readonly error: unknown;
  readonly log: Logger;
}

/** A request whose app failed. */
export interface FailedRequest extends Failure {
  readonly response: ServerResponse;
}

/**
 * Answers 500, or cuts the response short where its head is already sent, and says so in the log. A
 * response that the app has ended is complete, and stays as it is.
 */
export function failRequest({ response, ...failure }: FailedRequest): void {
  logFailure(failure, "app failed a request");
  if (response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.statusCode = 500;
  // The app's own may be what it failed at.
  response.statusMessage = "Internal Server Error";
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end("Internal Server Error\n");
}

/** One line: an error, or a note for debugging where only the client has left. */
export function logFailure({ request, error, log }: Failure, message: string): void {
  const fields = {
    endpoint: endpointOf(request),
    method: request.method,
    path: request.url,
    error: describeError(error),
  };
  if (hasClientLeft(request, error)) log.debug(fields, "client left");
  else log.error(fields, message);
}

/** What streams fail with when the other end of the connection is gone. */
const CUT_CODES = ["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE"];

/** Whether a failure only tells the app that its client is gone. */
function hasClientLeft({ socket }: IncomingMessage, error: unknown): boolean {
  // An app that destroys its response, as a failed pipeline does, closes the connection with its own error.
  const hasHungUp = socket.readableEnded || (socket.errored !== null && socket.errored !== error);
  if (!socket.destroyed || !hasHungUp) return false;
  const isAbort = error instanceof Error && error.name === "AbortError";
  return isAbort || CUT_CODES.includes(errnoOf(error) ?? "");
}
