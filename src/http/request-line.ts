import type { IncomingHttpHeaders } from "node:http2";

/** The first line of a request, as it was sent. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
}

/** Reads the request line that bytes begin with; undefined when they do not. */
export function readRequestLine(bytes: string): RequestLine | undefined {
  const [, method, target, httpVersion] =
    /^([A-Z-]{1,32}) (\S+) HTTP\/(\d\.\d)\r?\n/.exec(bytes) ?? [];
  if (method === undefined || target === undefined || httpVersion === undefined) return undefined;
  return { method, target, httpVersion };
}

/** What stands for the request line in the head of an HTTP/2 stream; undefined when it has no method. */
export function readStreamLine(headers: IncomingHttpHeaders): RequestLine | undefined {
  const { ":method": method, ":authority": authority = "-", ":path": target = authority } = headers;
  return typeof method === "string" && typeof target === "string"
    ? { method, target, httpVersion: "2.0" }
    : undefined;
}

/** Whether bytes are the beginning of a request line, and nothing more. */
export function isWithinRequestLine(bytes: string): boolean {
  return /^[A-Z-]{1,32} \S*$/.test(bytes);
}
