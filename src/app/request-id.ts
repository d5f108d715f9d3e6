import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isPeerTrusted } from "./identity.ts";
import { readRequestHeaders, type RequestHeaders } from "./request-headers.ts";

/** Shared by name: an app may have an outrigger of its own in node_modules. */
const REQUEST_ID: unique symbol = Symbol.for("outrigger.requestId");

/** What goes into logs and headers without a second look. */
const USABLE = /^[\w.:+/=@~-]{1,128}$/;

/** Told apart from the ids of every other process; only the count tells those of this one apart. */
const PREFIX = `${randomBytes(8).toString("hex")}-`;
let made = 0;

interface NumberedRequest extends IncomingMessage {
  [REQUEST_ID]?: string;
}

/**
 * The id of a request: what a trusted peer sent as `X-Request-Id`, if it is usable, else one of our own, made when it is first asked for.
 *
 * @param headers Those of the request, where they were read already.
 */
export function requestIdOf(request: IncomingMessage, headers?: RequestHeaders): string {
  const numbered: NumberedRequest = request;
  return (numbered[REQUEST_ID] ??= sentId(request, headers) ?? makeId());
}

function sentId(
  { socket, rawHeaders }: IncomingMessage,
  headers?: RequestHeaders,
): string | undefined {
  if (!isPeerTrusted(socket)) return undefined;
  const { requestId } = headers ?? readRequestHeaders(rawHeaders);
  return requestId !== undefined && USABLE.test(requestId) ? requestId : undefined;
}

function makeId(): string {
  made += 1;
  return PREFIX + made.toString(36);
}
