import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

const TLS_INFO: unique symbol = Symbol.for("outrigger.tls");

/** How a connection is encrypted, and who is at its other end. */
export interface TlsInfo {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  /** Name the client asked for (SNI); absent where it asked for none. */
  readonly serverName?: string;
  /** What the peer proved itself with; absent where it showed none. It may be a proxy, and not the client. */
  readonly certificate?: PeerIdentity;
}

/** Parts of a name by their abbreviations, such as `{ CN: "alice", O: "Example" }`. */
export type DistinguishedName = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The certificate of a peer, in short; all of it is at `req.socket.getPeerX509Certificate()`. */
export interface PeerIdentity {
  /** It comes from an authority in `tls-ca`, and is valid now. */
  readonly authorized: boolean;
  /** Why it is not authorized, such as `DEPTH_ZERO_SELF_SIGNED_CERT`. */
  readonly error?: string;
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  /** Names beside the subject, such as `DNS:alice.example, email:alice@example`. */
  readonly altNames?: string;
  /** SHA-256, in hexadecimal with colons. */
  readonly fingerprint: string;
  readonly serialNumber: string;
  /** When it expires. */
  readonly expiresAt: Date;
}

/** What is known of the encryption of a connection; undefined where there is none. */
export function tlsInfoOf(socket: Socket): TlsInfo | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  // Worked out once a connection, which may carry many requests.
  const known: TlsInfo | undefined = Reflect.get(socket, TLS_INFO);
  if (known !== undefined) return known;
  const info = describe(socket);
  Reflect.set(socket, TLS_INFO, info);
  return info;
}

function describe(socket: TLSSocket): TlsInfo {
  // Typed as what a client asks for, on our side it is what was asked of us: a name, or false.
  const serverName: unknown = Reflect.get(socket, "servername");
  const certificate = identify(socket);
  return {
    protocol: socket.getProtocol() ?? "unknown",
    ...(typeof serverName === "string" ? { serverName } : {}),
    ...(certificate === undefined ? {} : { certificate }),
  };
}

function identify(socket: TLSSocket): PeerIdentity | undefined {
  const x509 = socket.getPeerX509Certificate();
  if (x509 === undefined) return undefined;
  const { subject, issuer } = x509.toLegacyObject();
  return {
    authorized: socket.authorized,
    ...(socket.authorized ? {} : { error: String(socket.authorizationError) }),
    subject: { ...subject },
    issuer: { ...issuer },
    ...(x509.subjectAltName === undefined ? {} : { altNames: x509.subjectAltName }),
    fingerprint: x509.fingerprint256,
    serialNumber: x509.serialNumber,
    expiresAt: x509.validToDate,
  };
}
