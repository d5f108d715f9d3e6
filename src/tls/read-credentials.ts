import { createPrivateKey, randomBytes, X509Certificate, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { TlsConfig } from "../config/config.ts";
import { errnoOf, OutriggerError } from "../errors.ts";
import { secureContextOptions, type TlsCredentials } from "./credentials.ts";

const TICKET_KEY_BYTES = 48;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Credentials that fit together, and how long they are good for. */
export interface CheckedCredentials {
  readonly credentials: TlsCredentials;
  /** When the first certificate of the chain expires, in milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** When the last certificate of the chain becomes valid. */
  readonly validFromMs: number;
}

export interface TlsSubject {
  /** Name of the endpoint, for the sentence of a refusal. */
  readonly endpoint: string;
  readonly tls: TlsConfig;
}

/**
 * Reads the files of an endpoint and makes sure that they can be served with.
 *
 * @throws `ERR_TLS` with a sentence that names endpoint, file and remedy.
 */
export async function readCredentials(subject: TlsSubject): Promise<CheckedCredentials> {
  const { cert: certPath, key: keyPath, ca: caPath } = subject.tls;
  const cert = await read(subject, "tls-cert", certPath);
  const chain = parseChain(subject, { option: "tls-cert", path: certPath, text: cert });
  const key = await read(subject, "tls-key", keyPath);
  const privateKey = parseKey(subject, key);
  if (!belongsTo(privateKey, chain)) {
    const advice = "give the key that the certificate was made for, and that certificate first";
    throw refuse(subject, `tls-key ${keyPath} does not belong to tls-cert ${certPath}; ${advice}`);
  }
  const ca = caPath === undefined ? undefined : await read(subject, "tls-ca", caPath);
  if (ca !== undefined && caPath !== undefined)
    parseChain(subject, { option: "tls-ca", path: caPath, text: ca });
  const credentials: TlsCredentials = {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    ticketKeys: randomBytes(TICKET_KEY_BYTES),
  };
  tryOut(subject, credentials);
  return {
    credentials,
    expiresAtMs: Math.min(...chain.map(({ validToDate }) => validToDate.getTime())),
    validFromMs: Math.max(...chain.map(({ validFromDate }) => validFromDate.getTime())),
  };
}

async function read(subject: TlsSubject, option: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = errnoOf(error) ?? "an error";
    throw refuse(subject, `${option} ${path} ${REASONS[code] ?? `cannot be read: ${code}`}`, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist; create it, or correct the path",
  EACCES: `cannot be read by uid ${process.getuid?.()} (EACCES); give it read permission`,
  EISDIR: "is a folder; give the path of the file in it",
};

interface PemFile {
  readonly option: "tls-cert" | "tls-ca";
  readonly path: string;
  readonly text: string;
}

/** Every certificate of a file; a chain that cannot be parsed would be refused by clients only. */
function parseChain(subject: TlsSubject, { option, path, text }: PemFile): X509Certificate[] {
  const blocks = text.match(CERTIFICATE);
  if (blocks === null) {
    const isKey = option === "tls-cert" && text.includes("PRIVATE KEY-----");
    const advice = isKey ? "it holds a private key: swap tls-cert and tls-key" : "give a PEM file";
    throw refuse(subject, `${option} ${path} holds no certificate; ${advice}`);
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    const advice = "write it anew from its source";
    throw refuse(subject, `${option} ${path} holds a damaged certificate; ${advice}`, error);
  }
}

function parseKey(subject: TlsSubject, text: string): KeyObject {
  const { key: path } = subject.tls;
  if (text.includes("ENCRYPTED")) {
    const advice = "give it without one, as openssl pkey writes it";
    throw refuse(subject, `tls-key ${path} is protected by a passphrase; ${advice}`);
  }
  try {
    return createPrivateKey(text);
  } catch (error) {
    const isCert = text.includes("BEGIN CERTIFICATE");
    const advice = isCert
      ? "it holds a certificate: swap tls-cert and tls-key"
      : "give a PEM file that begins with BEGIN PRIVATE KEY";
    throw refuse(subject, `tls-key ${path} holds no private key; ${advice}`, error);
  }
}

function belongsTo(key: KeyObject, [leaf]: readonly X509Certificate[]): boolean {
  try {
    return leaf?.checkPrivateKey(key) === true;
  } catch {
    // Of another kind than the certificate's.
    return false;
  }
}

/** What OpenSSL does not take, such as a key that is too short, it must refuse before anything is served with it. */
function tryOut(subject: TlsSubject, credentials: TlsCredentials): void {
  const { tls } = subject;
  try {
    createSecureContext(secureContextOptions(credentials, tls));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refuse(subject, `OpenSSL refuses tls-cert ${tls.cert}: ${reason}`, error);
  }
}

function refuse({ endpoint }: TlsSubject, reason: string, cause?: unknown): OutriggerError {
  return new OutriggerError("ERR_TLS", `Cannot serve TLS on "${endpoint}": ${reason}`, { cause });
}
