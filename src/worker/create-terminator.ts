import type { Endpoint, HttpConfig } from "../config/config.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import { TlsTerminator } from "./tls-terminator.ts";

/** What a handshake may take; less where the head of a request is given less. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

interface TerminatorSource {
  readonly endpoint: Endpoint;
  readonly credentials: TlsCredentials | undefined;
  readonly checkTarget: string;
  readonly http: HttpConfig;
}

/** Makes the terminator of an endpoint; undefined for one that does not speak TLS. */
export function createTerminator(
  { endpoint, credentials, checkTarget, http }: TerminatorSource,
  alpnProtocols: readonly string[],
): TlsTerminator | undefined {
  const { tls } = endpoint;
  if (tls === undefined) return undefined;
  if (credentials === undefined) throw new TypeError(`No certificate for "${endpoint.name}"`);
  const timeoutMs = Math.min(http.headersTimeoutMs || HANDSHAKE_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS);
  return new TlsTerminator({ tls, credentials, alpnProtocols, checkTarget, timeoutMs });
}
