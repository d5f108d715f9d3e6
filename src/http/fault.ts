import type { IncomingMessage } from "node:http";
import { BAD_REQUEST, WRONG_VERSION, type Refusal } from "./refusal.ts";

const HOST = "host";

/**
 * What the parser lets pass and HTTP does not: other versions in the request line, HTTP/1.1 without a
 * `Host`, any version with several (RFC 9112, section 3.2).
 */
export function findFault(request: IncomingMessage): Refusal | undefined {
  const { httpVersionMajor, httpVersionMinor, rawHeaders } = request;
  if (httpVersionMajor !== 1) return WRONG_VERSION;
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    // Looked at with every request: most names differ in their length already.
    if (name?.length === HOST.length && name.toLowerCase() === HOST) hosts += 1;
  }
  const isMissing = hosts === 0 && httpVersionMinor === 1;
  return isMissing || hosts > 1 ? BAD_REQUEST : undefined;
}
