import type { IncomingMessage, ServerResponse } from "node:http";

const HELLO = "Hello, world!";
const ROWS = 100;
const JSON_BYTES = 10 * 1024;

const TABLE = createTable();

/** The app of every benchmark, whoever serves it. */
export default function app(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === "POST") return acknowledge(request, response);
  if (request.url === "/json") return send(response, "application/json", JSON.stringify(TABLE));
  return send(response, "text/plain", HELLO);
}

function acknowledge(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => (bytes += chunk.length));
  request.on("end", () => send(response, "text/plain", String(bytes)));
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function createTable(): readonly { readonly id: number; readonly text: string }[] {
  const row = (id: number): { id: number; text: string } => ({ id: 100 + id, text: "" });
  const bare = JSON.stringify(Array.from({ length: ROWS }, (_, id) => row(id))).length;
  const text = "x".repeat(Math.floor((JSON_BYTES - bare) / ROWS));
  return Array.from({ length: ROWS }, (_, id) => ({ ...row(id), text }));
}
