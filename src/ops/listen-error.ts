import type { OpsEndpoint } from "../config/config.ts";
import { formatHostPort } from "../host-port.ts";
import { errnoOf, OutriggerError } from "../errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use; stop the process that holds it or",
  EACCES: "permission denied; take a port above 1023 or",
  EADDRNOTAVAIL: "this machine has no such address; take one it has, such as 0.0.0.0, or",
  ENOTFOUND: "nobody knows this host; take a numeric address or",
  EAI_AGAIN: "the name service does not answer; take a numeric address or",
};

const NAMES = { ops: "ops endpoint", probe: "probe port" } as const;

/** Explains why the address of `--ops` or `--probe` cannot be had, and what to do. */
export function describeListenError(
  option: keyof typeof NAMES,
  endpoint: OpsEndpoint,
  cause: unknown,
): OutriggerError {
  const reason =
    REASONS[errnoOf(cause) ?? ""] ?? `${cause instanceof Error ? cause.message : String(cause)};`;
  return new OutriggerError(
    "ERR_LISTEN",
    `Cannot listen on ${NAMES[option]} ${formatHostPort(endpoint)}: ${reason} choose another --${option} HOST:PORT or --${option} off`,
    { cause },
  );
}
