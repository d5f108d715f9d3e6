import { errnoOf } from "../errors.ts";
import {
  BAD_REQUEST,
  HEADERS_TOO_LARGE,
  REQUEST_LINE_TOO_LONG,
  REQUEST_TIMEOUT,
  type Refusal,
} from "./refusal.ts";
import { isWithinRequestLine, readRequestLine, type RequestLine } from "./request-line.ts";

/** What node:http could not make a request of. */
export interface ParseFailure {
  readonly refusal: Refusal;
  readonly line: RequestLine | undefined;
  /** The peer has hung up in the middle of it. */
  readonly isCutOff: boolean;
}

/** What to answer to an error of a connection; undefined when it is none that an answer helps with. */
export function readParseFailure(error: Error): ParseFailure | undefined {
  const code = errnoOf(error) ?? "";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return { refusal: REQUEST_TIMEOUT, line: undefined, isCutOff: false };
  if (!code.startsWith("HPE_")) return undefined;
  const head = readHead(error);
  const line = readRequestLine(head);
  const isCutOff = code === "HPE_INVALID_EOF_STATE";
  if (code !== "HPE_HEADER_OVERFLOW") return { refusal: BAD_REQUEST, line, isCutOff };
  // The parser has one limit for the request line and the headers, and does not say which went over it.
  return isWithinRequestLine(head)
    ? { refusal: REQUEST_LINE_TOO_LONG, line: readBegin(head), isCutOff }
    : { refusal: HEADERS_TOO_LARGE, line, isCutOff };
}

/** The bytes that were looked at last, if they belong to one head; those of several would tell of another request. */
function readHead(error: Error): string {
  const packet: unknown = "rawPacket" in error ? error.rawPacket : undefined;
  const parsed: unknown = "bytesParsed" in error ? error.bytesParsed : undefined;
  if (!(packet instanceof Buffer) || typeof parsed !== "number") return "";
  const head = packet.toString("latin1", 0, Math.max(parsed, 0));
  return head.includes("\r\n\r\n") ? "" : head;
}

/** Method and target of a line that has no end. */
function readBegin(head: string): RequestLine {
  const space = head.indexOf(" ");
  return { method: head.slice(0, space), target: head.slice(space + 1), httpVersion: "1.1" };
}
