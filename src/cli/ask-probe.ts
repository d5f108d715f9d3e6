import type { OpsEndpoint } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { askOps } from "./ops-client.ts";

/** The questions by the names a kubelet has for them, and where they are asked. */
const PATHS = { live: "/livez", ready: "/readyz", startup: "/startupz" } as const;

export type ProbeName = keyof typeof PATHS;
export const PROBE_NAMES: readonly ProbeName[] = Object.keys(PATHS) as ProbeName[];

/** Asks a probe; resolves to why it does not pass, or to undefined when it does. */
export async function askProbe(
  ops: OpsEndpoint,
  probe: ProbeName,
  timeoutMs: number,
): Promise<string | undefined> {
  try {
    const { status, body } = await askOps({ ops, path: PATHS[probe], timeoutMs });
    return status === 200 ? undefined : explain(status, body);
  } catch (error) {
    if (error instanceof OutriggerError) return error.message;
    throw error;
  }
}

/** The checks that failed, from a body with a line a check. */
function explain(status: number, body: string): string {
  const failed = [...body.matchAll(/^\[-\](\S+) failed: (.*)$/gm)];
  if (failed.length === 0) return `the answer was ${status} ${body.split("\n", 1)[0] ?? ""}`.trim();
  return failed.map(([, check, reason]) => `${check}: ${reason}`).join("; ");
}
