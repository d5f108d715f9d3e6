/** An app that starts once and never again after a file has appeared. */
import { existsSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";

if (existsSync(process.env["COMPARE_BROKEN"] ?? "")) throw new Error("The database is gone");

/** Says hello. */
export default function app(_request: IncomingMessage, response: ServerResponse): void {
  response.end("hello\n");
}
