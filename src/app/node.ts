import type { ServerResponse } from "node:http";
import type { Logger } from "../log/logger.ts";
import type { App, NodeHandler } from "./app.ts";
import { logFailure, type Failure } from "./log-failure.ts";

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
