import { OutriggerError, type ErrorDescription } from "../errors.ts";
import type { WorkerExit } from "./worker-process.ts";

/** What is known of a worker that did not become ready, or did not stay until enough others were. */
export interface WorkerFailure {
  readonly slot: number;
  readonly app: string;
  /** What it, or we, said of it (nothing). */
  readonly told: ErrorDescription | undefined;
  readonly exit: WorkerExit | undefined;
  readonly hasBeenReady: boolean;
}

/** Says why a worker failed, in a sentence; the app's own error is its cause. */
export function explainFailure(failure: WorkerFailure): OutriggerError {
  const { slot, app, told, exit, hasBeenReady } = failure;
  if (told === undefined) {
    const when = hasBeenReady ? "before enough others were ready" : "before it was ready";
    return new OutriggerError("ERR_WORKER", `Worker ${slot} ${describeExit(exit)} ${when}`);
  }
  const { message, stack } = told;
  if (stack === undefined) return new OutriggerError("ERR_WORKER", message);
  const cause = Object.assign(new Error(message), { stack });
  return new OutriggerError("ERR_WORKER", `Cannot start app "${app}": ${message}`, { cause });
}

function describeExit(exit: WorkerExit | undefined): string {
  const { code, signal } = exit ?? { code: null, signal: null };
  if (signal !== null) return `was killed by ${signal}`;
  return code === null ? "could not be spawned" : `exited with code ${code}`;
}
