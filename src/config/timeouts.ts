import { formatDuration } from "./duration.ts";

/** How long clients may take, on every endpoint that says nothing else; 0 is no limit. */
export interface HttpConfig {
  readonly keepAliveTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** The options that set timeouts of HTTP, of the program and of an endpoint alike. */
export const TIMEOUT_NAMES = ["keep-alive-timeout", "headers-timeout", "request-timeout"] as const;

export type TimeoutName = (typeof TIMEOUT_NAMES)[number];

const FIELDS: Readonly<Record<TimeoutName, keyof HttpConfig>> = {
  "keep-alive-timeout": "keepAliveTimeoutMs",
  "headers-timeout": "headersTimeoutMs",
  "request-timeout": "requestTimeoutMs",
};

/** The timeouts an endpoint has of its own; those it says nothing about are the program's. */
export type OwnTimeouts = Readonly<Partial<HttpConfig>>;

/** Puts together what an endpoint says about its timeouts; undefined when that is nothing. */
export function readTimeouts(
  read: (name: TimeoutName) => number | undefined,
): OwnTimeouts | undefined {
  const given = TIMEOUT_NAMES.map((name) => [FIELDS[name], read(name)] as const);
  const said = given.filter(([, ms]) => ms !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

/** Writes the timeouts an endpoint has of its own, by option. */
export function formatTimeouts(
  own: OwnTimeouts | undefined,
): readonly (readonly [TimeoutName, string])[] {
  return TIMEOUT_NAMES.flatMap((name) => {
    const ms = own?.[FIELDS[name]];
    return ms === undefined ? [] : [[name, formatDuration(ms)] as const];
  });
}

/** What holds on an endpoint: its own timeouts, else the program's. Headers follow a shorter request timeout down. */
export function chooseTimeouts(own: OwnTimeouts | undefined, program: HttpConfig): HttpConfig {
  const chosen = { ...program, ...own };
  const { headersTimeoutMs, requestTimeoutMs } = chosen;
  return requestTimeoutMs > 0 && headersTimeoutMs > requestTimeoutMs
    ? { ...chosen, headersTimeoutMs: requestTimeoutMs }
    : chosen;
}
