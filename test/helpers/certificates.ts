import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findTool } from "../tools.ts";

const run = promisify(execFile);
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A certificate and its key, as files. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Folder the files are put in. */
  readonly dir: string;
  /** Begin of the file names, and the common name. */
  readonly name: string;
  /** (one that is made of it) */
  readonly issuer?: Pair;
  /** (30; a negative number is one that has expired) */
  readonly days?: number;
}

/** Makes a certificate for `localhost` with openssl, signed by itself or by an issuer. */
export async function makeCertificate(options: CertificateOptions): Promise<Pair> {
  const { dir, name, issuer, days = 30 } = options;
  const cert = join(dir, `${name}.crt`);
  const key = join(dir, `${name}.key`);
  const request = join(dir, `${name}.csr`);
  await openssl("req", "-new", ...EC, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
  const extensions = join(dir, `${name}.ext`);
  await writeFile(extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const signer =
    issuer === undefined ? ["-signkey", key] : ["-CA", issuer.cert, "-CAkey", issuer.key];
  await openssl(
    "x509", "-req", "-in", request, "-out", cert, ...signer, "-days", String(days),
    "-extfile", extensions,
  ); // prettier-ignore
  return { cert, key };
}

/** Makes an authority that can issue certificates. */
export async function makeAuthority(dir: string, name: string): Promise<Pair> {
  const cert = join(dir, `${name}.crt`);
  const key = join(dir, `${name}.key`);
  await openssl(
    "req", "-x509", ...EC, "-keyout", key, "-out", cert, "-days", "30", "-subj", `/CN=${name}`,
    "-addext", "keyUsage=critical,keyCertSign",
  ); // prettier-ignore
  return { cert, key };
}

/** Runs openssl; rejects with what it says when it fails. */
export async function openssl(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(findTool("openssl") ?? "openssl", args);
  return stdout;
}

/** The TLS options of an endpoint. */
export function tlsQuery({ cert, key }: Pair): string {
  return `tls-cert=${cert}&tls-key=${key}`;
}
