import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { RequestLimits } from "../config/limits.ts";
import {
  BODY_TOO_LARGE,
  HEADERS_TOO_LARGE,
  REQUEST_LINE_TOO_LONG,
  type Refusal,
} from "./refusal.ts";

/** Blanks and `HTTP/1.1`, which every request line has. */
const LINE_REST_BYTES = 10;

/** What the head of a request has too much of; undefined when it keeps within the limits. */
export function findExcess(request: IncomingMessage, limits: RequestLimits): Refusal | undefined {
  const { method = "", url = "", rawHeaders } = request;
  const { requestLineBytes, headerCount, bodyBytes } = limits;
  if (requestLineBytes > 0 && method.length + url.length + LINE_REST_BYTES > requestLineBytes)
    return REQUEST_LINE_TOO_LONG;
  if (headerCount > 0 && rawHeaders.length > 2 * headerCount) return HEADERS_TOO_LARGE;
  if (bodyBytes > 0 && Number(request.headers["content-length"] ?? 0) > bodyBytes)
    return BODY_TOO_LARGE;
  return undefined;
}

/**
 * Counts the bytes of a body that did not say how long it is. Once there are too many `onExcess` is
 * called, and the app gets no more of them, and no end either: half a body must not pass for a whole one.
 */
export function limitBody(request: IncomingMessage, bytes: number, onExcess: () => void): void {
  if (request.headers["transfer-encoding"] === undefined) return;
  limitPush(request, bytes, onExcess);
}

/** The same for any stream that a body comes in on. */
export function limitPush(body: Readable, bytes: number, onExcess: () => void): void {
  let left = bytes;
  const push = body.push.bind(body);
  body.push = (chunk: Buffer | null): boolean => {
    if (left < 0) return true;
    if (chunk === null) return push(chunk);
    left -= chunk.length;
    if (left >= 0) return push(chunk);
    onExcess();
    return true;
  };
}
