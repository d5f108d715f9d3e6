import type { Endpoint } from "./config.ts";
import { formatAddress } from "./endpoint.ts";
import { boundAddressOf } from "./handed-source.ts";
import { ValueError } from "./value-error.ts";

/**
 * PROXY headers are believed from trusted peers only: where there can be none, the option would do
 * nothing or shut everybody out. Of a socket that is handed over that shows only once it was found.
 */
export function refuseUnheardProxies(endpoint: Endpoint, trusted: readonly string[]): void {
  if (endpoint.proxyProtocol === "off") return;
  if (endpoint.kind === "handed" && endpoint.found === undefined) return;
  const isTcp = boundAddressOf(endpoint).kind === "tcp";
  if (trusted.some((entry) => (entry === "unix") !== isTcp)) return;
  const wanted = isTcp ? "the address of the proxy" : '"unix"';
  throw new ValueError(
    formatAddress(endpoint),
    `proxy-protocol=${endpoint.proxyProtocol} believes trusted peers only: add ${wanted} to --trusted-proxies`,
    "ERR_ENDPOINT",
  );
}
