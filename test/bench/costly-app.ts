import { pbkdf2Sync } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

/** About 4 ms of processor time, whatever else runs: an amount of work, not a time. */
const ITERATIONS = 13_000;

/** An app that computes, and says which process did. */
export default function costlyApp(_request: IncomingMessage, response: ServerResponse): void {
  const body = pbkdf2Sync("secret", "salt", ITERATIONS, 32, "sha256").toString("hex");
  response.writeHead(200, { "content-length": body.length, "x-pid": process.pid });
  response.end(body);
}
