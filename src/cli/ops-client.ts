import { once } from "node:events";
import { connect } from "node:net";
import type { OpsEndpoint } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import { errnoOf, OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";

export interface OpsAnswer {
  readonly status: number;
  readonly body: string;
}

export interface OpsQuestion {
  readonly ops: OpsEndpoint;
  readonly path: string;
  /** For the whole answer. */
  readonly timeoutMs: number;
  /** Aborts when the answer is not wanted any more (never). */
  readonly signal?: AbortSignal;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "nobody knows this host",
  EADDRNOTAVAIL: "this machine has no such address",
  EHOSTUNREACH: "there is no way to this host",
};

/** Asks the ops endpoint; rejects with a sentence that names its address when no answer comes. */
export async function askOps(question: OpsQuestion): Promise<OpsAnswer> {
  const { ops, timeoutMs } = question;
  const limit = AbortSignal.timeout(timeoutMs);
  const signal = question.signal === undefined ? limit : AbortSignal.any([limit, question.signal]);
  const text = await exchange(question, signal).catch((error: unknown) => {
    const code = errnoOf(error);
    const silence = `no answer within ${formatDuration(timeoutMs)}`;
    const reason = REASONS[code ?? ""] ?? code ?? String(error);
    throw cannotReach(ops, signal.aborted ? silence : reason, error);
  });
  const answer = parseAnswer(text);
  if (answer === undefined) throw cannotReach(ops, "what answers there is no HTTP");
  return answer;
}

/**
 * Sends a request and reads all that comes. Not by node:http: to import that loads the HTTP client
 * behind `fetch` too, which was a third of all that a probe takes.
 */
async function exchange({ ops, path }: OpsQuestion, signal: AbortSignal): Promise<string> {
  const socket = connect({ ...ops, signal });
  await once(socket, "connect", { signal });
  socket.setEncoding("utf8");
  const host = formatHostPort(ops);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** An ops endpoint sends every answer as a whole, so what follows the head is the body. */
function parseAnswer(text: string): OpsAnswer | undefined {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(head) ?? [];
  return status === undefined ? undefined : { status: Number(status), body: rest.join("\r\n\r\n") };
}

function cannotReach(ops: OpsEndpoint, reason: string, cause?: unknown): OutriggerError {
  const message = `Cannot reach the ops endpoint ${formatHostPort(ops)}: ${reason}`;
  return new OutriggerError("ERR_STATE", message, cause === undefined ? {} : { cause });
}
