import type { OpsEndpoint } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import { askOps } from "./ops-client.ts";
import { valueAt } from "./value-at.ts";

export interface StatusAnswer {
  /** The JSON as it was sent. */
  readonly body: string;
  readonly status: unknown;
}

/** Asks `/status`; rejects with a sentence that names the address when no outrigger answers in time. */
export async function readStatus(
  ops: OpsEndpoint,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<StatusAnswer> {
  const question = { ops, path: "/status", timeoutMs };
  const { status: code, body } = await askOps(signal ? { ...question, signal } : question);
  const status = code === 200 ? parse(body) : undefined;
  if (valueAt(status, "phase") !== undefined) return { body, status };
  const address = formatHostPort(ops);
  throw new OutriggerError("ERR_STATE", `Cannot read the status of ${address}: it is no outrigger`);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
