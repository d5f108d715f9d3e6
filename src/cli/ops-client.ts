import { once } from "node:events";
import { request } from "node:http";
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
export async function askOps({ ops, path, timeoutMs, ...given }: OpsQuestion): Promise<OpsAnswer> {
  const limit = AbortSignal.timeout(timeoutMs);
  const signal = given.signal === undefined ? limit : AbortSignal.any([limit, given.signal]);
  try {
    const sent = request({ ...ops, path, agent: false, signal }).end();
    const [response] = await once(sent, "response", { signal });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return { status: response.statusCode, body: Buffer.concat(chunks).toString("utf8") };
  } catch (error) {
    const code = errnoOf(error);
    const reason = signal.aborted
      ? `no answer within ${formatDuration(timeoutMs)}`
      : (REASONS[code ?? ""] ?? code ?? String(error));
    throw new OutriggerError(
      "ERR_STATE",
      `Cannot reach the ops endpoint ${formatHostPort(ops)}: ${reason}`,
      { cause: error },
    );
  }
}
