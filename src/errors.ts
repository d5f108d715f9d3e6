/** Exit codes of the program; every way out of it uses one of these. */
export const EXIT_CODES = {
  /** Stopped as asked, nothing was cut. */
  ok: 0,
  /** Something went wrong that no other code names. */
  failure: 1,
  /** The command line, an environment variable or the config file is wrong. */
  usage: 2,
  /** An endpoint could not be claimed, its certificate not be used, or the app did not start. */
  startup: 3,
  /** Stopped, but connections or requests had to be cut. */
  forced: 4,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

export type ErrorCode =
  | "ERR_USAGE"
  | "ERR_CONFIG"
  | "ERR_ENDPOINT"
  | "ERR_LISTEN"
  | "ERR_TLS"
  | "ERR_APP"
  | "ERR_WORKER"
  | "ERR_PROTOCOL"
  | "ERR_STATE";

const EXIT_CODE_OF: Record<ErrorCode, ExitCode> = {
  ERR_USAGE: EXIT_CODES.usage,
  ERR_CONFIG: EXIT_CODES.usage,
  ERR_ENDPOINT: EXIT_CODES.usage,
  ERR_LISTEN: EXIT_CODES.startup,
  ERR_TLS: EXIT_CODES.startup,
  ERR_APP: EXIT_CODES.startup,
  ERR_WORKER: EXIT_CODES.startup,
  ERR_PROTOCOL: EXIT_CODES.failure,
  ERR_STATE: EXIT_CODES.failure,
};

/**
 * A failure we foresaw. The message is one sentence without a final period: it names the action,
 * quotes the value and says what was wanted.
 */
export class OutriggerError extends Error {
  override readonly name = "OutriggerError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get exitCode(): ExitCode {
    return EXIT_CODE_OF[this.code];
  }
}

/** An error in a form that crosses the process boundary and goes into a log line. */
export interface ErrorDescription {
  readonly message: string;
  readonly code?: string;
  /** Absent for errors we foresaw, whose sentence says everything; of an app that failed it is the app's. */
  readonly stack?: string;
}

/** Turns anything that was thrown into a message, and a stack when nobody foresaw it. */
export function describeError(thrown: unknown): ErrorDescription {
  if (thrown instanceof OutriggerError) return describeForeseen(thrown);
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const code = errnoOf(thrown);
  return {
    message: thrown.message || thrown.name,
    ...(code === undefined ? {} : { code }),
    ...(thrown.stack === undefined ? {} : { stack: stackWithCauses(thrown) }),
  };
}

function describeForeseen({ message, code, cause }: OutriggerError): ErrorDescription {
  const isOfApp = code === "ERR_WORKER" && cause instanceof Error;
  return isOfApp ? { message, code, stack: stackWithCauses(cause) } : { message, code };
}

/** The `code` of a system error, such as `ECONNREFUSED`; undefined for anything else. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

function stackWithCauses(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\nCaused by: ${stackWithCauses(error.cause)}` : own;
}
