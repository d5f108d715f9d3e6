import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { RejectReason } from "../counters.ts";
import type { RequestLine } from "./request-line.ts";

/** An answer of our own, to what the app is not given. */
export interface Refusal {
  readonly reason: RejectReason;
  readonly status: number;
  readonly statusText: string;
  /** When it is worth another try, in seconds; undefined says nothing about it. */
  readonly retryAfterSeconds?: number;
}

export const BAD_REQUEST: Refusal = refusal("bad_request", 400, "Bad Request");
export const REQUEST_TIMEOUT: Refusal = refusal("request_timeout", 408, "Request Timeout");
export const BODY_TOO_LARGE: Refusal = refusal("body_too_large", 413, "Content Too Large");
export const REQUEST_LINE_TOO_LONG: Refusal = refusal("request_line_too_long", 414, "URI Too Long");
export const EXPECTATION_FAILED: Refusal = refusal("bad_request", 417, "Expectation Failed");
export const HEADERS_TOO_LARGE: Refusal = refusal(
  "headers_too_large",
  431,
  "Request Header Fields Too Large",
);
export const TUNNEL_REFUSED: Refusal = refusal("not_implemented", 501, "Not Implemented");
export const WRONG_VERSION: Refusal = refusal(
  "unsupported_version",
  505,
  "HTTP Version Not Supported",
);
export const OVERLOADED: Refusal = {
  ...refusal("max_connections", 503, "Service Unavailable"),
  retryAfterSeconds: 1,
};

/** A refusal that was sent, and what is known of whom it was sent to. */
export interface Refused {
  readonly refusal: Refusal;
  readonly socket: Duplex;
  /** Undefined when it could not be read as far as that. */
  readonly request?: IncomingMessage | undefined;
  /** What was asked, where there is no `request` to tell. */
  readonly line?: RequestLine | undefined;
  readonly bytesSent: number;
  /** Undefined when nobody knows when it began. */
  readonly durationSeconds?: number;
}

/** The whole response, after which the connection is closed. */
export function formatRefusal({ status, statusText, retryAfterSeconds }: Refusal): string {
  const retry = retryAfterSeconds === undefined ? "" : `Retry-After: ${retryAfterSeconds}\r\n`;
  return `HTTP/1.1 ${status} ${statusText}\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`;
}

function refusal(reason: RejectReason, status: number, statusText: string): Refusal {
  return { reason, status, statusText };
}
