import type { Endpoint, HttpConfig } from "./config.ts";
import { formatDuration } from "./duration.ts";
import { formatAddress } from "./endpoint.ts";
import { chooseTimeouts } from "./timeouts.ts";
import { ValueError } from "./value-error.ts";

/** Refuses an endpoint that asks for more time for headers than it gives the whole request. */
export function refuseLateHeaders(endpoint: Endpoint, program: HttpConfig): void {
  const asked = endpoint.timeouts?.headersTimeoutMs;
  const { headersTimeoutMs, requestTimeoutMs } = chooseTimeouts(endpoint.timeouts, program);
  if (asked === undefined || asked === headersTimeoutMs) return;
  const expected = `expected at most the request timeout of ${formatDuration(requestTimeoutMs)}`;
  throw new ValueError(
    formatAddress(endpoint),
    `headers-timeout "${formatDuration(asked)}" is refused, ${expected}`,
    "ERR_ENDPOINT",
  );
}
