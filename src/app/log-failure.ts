import type { IncomingMessage } from "node:http";
import { describeError, errnoOf } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { endpointOf } from "./context.ts";

/** What an app failed at. */
export interface Failure {
  readonly request: IncomingMessage;
  readonly error: unknown;
  readonly log: Logger;
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
