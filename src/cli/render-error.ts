import { describeError, EXIT_CODES, OutriggerError, type ExitCode } from "../errors.ts";

/** How a failure leaves the program. */
export interface RenderedError {
  readonly text: string;
  readonly exitCode: ExitCode;
}

/** Turns anything that was thrown into a line for people and an exit code; a stack only where nobody foresaw it. */
export function renderError(thrown: unknown): RenderedError {
  const { message, stack } = describeError(thrown);
  const exitCode = thrown instanceof OutriggerError ? thrown.exitCode : EXIT_CODES.failure;
  // A stack begins with its message, unless it is the app's and the sentence is ours.
  const text =
    stack === undefined || stack.includes(message) ? (stack ?? message) : `${message}\n${stack}`;
  return { text: `outrigger: ${text}\n`, exitCode };
}
