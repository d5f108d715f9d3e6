import type { TLSSocket } from "node:tls";
import type { HandshakeFailure } from "../counters.ts";
import { errnoOf } from "../errors.ts";

/** Why a handshake ended before there was a connection, by what Node says of it. */
export function judgeFailure(error: Error, secure: TLSSocket): HandshakeFailure {
  const code = errnoOf(error) ?? "";
  // Typed as an error, it is the name of one; null until a certificate was refused.
  const isUnauthorized = Boolean(secure.authorizationError);
  if (isUnauthorized || CERTIFICATE_CODES.has(code)) return "client_certificate";
  if (code.includes("_ALERT_")) return "alert";
  if (code.startsWith("ERR_SSL_")) return "protocol";
  return PEER_LEFT.has(code) ? "closed" : "other";
}

const CERTIFICATE_CODES = new Set([
  "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
  "ERR_SSL_CERTIFICATE_VERIFY_FAILED",
]);
/** Node's own word for a peer that hangs up in the middle is ECONNRESET. */
const PEER_LEFT = new Set(["ECONNRESET", "EPIPE"]);
