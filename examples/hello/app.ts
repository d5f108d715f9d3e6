import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

const STREAMED_LINES = 5;
const LINE_INTERVAL_MS = 200;

/** A plain Node handler: what `http.createServer` takes. */
export default async function hello(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://hello");
  switch (pathname) {
    case "/":
      return sendText(response, "Hello from Outrigger\n");
    case "/json":
      return sendJson(response, { hello: "world", pid: process.pid });
    case "/stream":
      return await sendLines(response);
    case "/slow":
      await delay(Number(searchParams.get("ms") ?? "1000"));
      return sendText(response, "Worth the wait\n");
    default:
      response.statusCode = 404;
      return sendText(response, "Try /, /json, /stream or /slow?ms=500\n");
  }
}

async function sendLines(response: ServerResponse): Promise<void> {
  response.setHeader("content-type", "text/plain; charset=utf-8");
  for (let line = 1; line <= STREAMED_LINES; line += 1) {
    response.write(`line ${line}\n`);
    await delay(LINE_INTERVAL_MS);
  }
  response.end();
}

function sendText(response: ServerResponse, text: string): void {
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.end(text);
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify(value)}\n`);
}
