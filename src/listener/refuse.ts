import { errnoOf, OutriggerError } from "../errors.ts";

/** An error for a path or an address that must not be taken, saying what to do about it. */
export function refuse(path: string, reason: string, cause?: unknown): OutriggerError {
  return new OutriggerError(
    "ERR_LISTEN",
    `Cannot listen on ${path}: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}

/** An error for a path whose socket cannot be replaced by ours; one we foresaw says so itself. */
export function cannotTake(path: string, error: unknown): OutriggerError {
  if (error instanceof OutriggerError) return error;
  const code = errnoOf(error) ?? String(error);
  return refuse(path, `cannot put the socket in its place (${code})`, error);
}
