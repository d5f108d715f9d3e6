import type { IncomingHttpHeaders } from "node:http2";

/** The head of an HTTP/2 request, as Node gives it. */
export interface StreamHead {
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, in the order they were sent. */
  readonly raw: readonly string[];
  /** A body follows. */
  readonly hasBody: boolean;
}

/** The same request for HTTP/1.1. */
export interface RequestHead {
  readonly text: string;
  readonly method: string;
  /** The body is to be sent in chunks. */
  readonly isChunked: boolean;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
/** Written by itself, or joined from its parts. */
const APART = new Set(["host", "cookie", "transfer-encoding", "connection"]);

/**
 * Writes the head of an HTTP/2 request as one of HTTP/1.1, the authority as its `Host`; undefined for
 * one that cannot be written so: nothing in it may pass for the end of a line.
 */
export function writeRequestHead({ headers, raw, hasBody }: StreamHead): RequestHead | undefined {
  const method = headers[":method"] ?? "";
  const target = headers[":path"] ?? "";
  if (!TOKEN.test(method) || !TARGET.test(target)) return undefined;
  const isChunked = hasBody && headers["content-length"] === undefined;
  const lines = [`${method} ${target} HTTP/1.1`];
  const host = headers[":authority"] ?? headers.host;
  if (host !== undefined) lines.push(`Host: ${host}`);
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    if (!name.startsWith(":") && !APART.has(name)) lines.push(`${name}: ${raw[index + 1] ?? ""}`);
  }
  // Sent in parts for the sake of compression (RFC 9113, section 8.2.3).
  if (headers.cookie !== undefined) lines.push(`cookie: ${headers.cookie}`);
  if (isChunked) lines.push("transfer-encoding: chunked");
  if (lines.some((line) => /[\r\n\0]/.test(line))) return undefined;
  return { text: `${lines.join("\r\n")}\r\n\r\n`, method, isChunked };
}
