import type { SecureContextOptions } from "node:tls";
import type { TlsConfig } from "../config/config.ts";

/** What an endpoint proves itself with; it crosses the process boundary. */
export interface TlsCredentials {
  /** PEM: the certificate, and those between it and the root. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** PEM; absent where clients are not asked for a certificate. */
  readonly ca?: string;
  /** Seals what clients keep to resume a session: the same in every worker, new with every certificate. */
  readonly ticketKeys: Uint8Array;
}

/** OpenSSL wants to know whose a session is before it resumes one whose client showed a certificate. */
const SESSION_ID_CONTEXT = "outrigger";

/** The options from which Node makes a secure context. */
export function secureContextOptions(
  { cert, key, ca, ticketKeys }: TlsCredentials,
  { minVersion }: Pick<TlsConfig, "minVersion">,
): SecureContextOptions {
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    minVersion: `TLSv${minVersion}`,
    ticketKeys: Buffer.from(ticketKeys),
    sessionIdContext: SESSION_ID_CONTEXT,
  };
}
