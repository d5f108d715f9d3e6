import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { connect } from "node:net";
import { within } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEADLINE_MS = 15_000;

/** Opens a session in plain text on a Unix socket. */
export function openSession(scope: Scope, path: string): ClientHttp2Session {
  const session = http2.connect("http://localhost", { createConnection: () => connect(path) });
  onEnd(scope, () => session.destroy());
  session.on("error", () => {});
  return session;
}

/** What came on one stream. */
export interface Answer {
  readonly status: number | undefined;
  readonly body: Buffer;
  readonly trailers: object;
}

/** Reads a stream to its end. */
export async function read(stream: ClientHttp2Stream): Promise<Answer> {
  let status: number | undefined;
  let trailers = {};
  stream.once("response", (headers) => (status = headers[":status"]));
  stream.once("trailers", (fields) => (trailers = Object.fromEntries(Object.entries(fields))));
  const chunks = (await within(DEADLINE_MS, stream.toArray(), "an answer")) as Buffer[];
  return { status, body: Buffer.concat(chunks), trailers };
}

/** Asks for a path. */
export function get(session: ClientHttp2Session, path: string): Promise<Answer> {
  return read(session.request({ ":path": path }));
}
