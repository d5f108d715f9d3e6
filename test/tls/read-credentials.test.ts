import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import type { TlsConfig } from "../../src/config/config.ts";
import { errnoOf } from "../../src/errors.ts";
import { readCredentials } from "../../src/tls/read-credentials.ts";
import { makeAuthority, makeCertificate, openssl, type Pair } from "../helpers/certificates.ts";
import { needs } from "../helpers/needs.ts";
import type { Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

let dir: string;
let authority: Pair;
let pair: Pair;
let other: Pair;

before(async (t) => {
  dir = await tempDir(t as unknown as Scope);
  authority = await makeAuthority(dir, "authority");
  pair = await makeCertificate({ dir, name: "pair", issuer: authority });
  other = await makeCertificate({ dir, name: "other", days: 5 });
});

function configOf(files: Partial<TlsConfig>): TlsConfig {
  return { ...pair, ca: undefined, clientAuth: "none", minVersion: "1.2", ...files };
}

describe("readCredentials", needs("openssl"), () => {
  it("reads a pair, its authority, and when the first certificate of the chain expires", async () => {
    const cert = join(dir, "chain.crt");
    await writeFile(
      cert,
      (await readFile(pair.cert, "utf8")) + (await readFile(other.cert, "utf8")),
    );
    const tls = configOf({ cert, ca: authority.cert });
    const { credentials, expiresAtMs } = await readCredentials({ endpoint: "app", tls });
    assert.equal(credentials.ca, await readFile(authority.cert, "utf8"));
    const { validToDate } = new X509Certificate(await readFile(other.cert));
    assert.equal(expiresAtMs, validToDate.getTime());
  });

  it("takes a certificate that has expired, and says when", async () => {
    const expired = await makeCertificate({ dir, name: "expired", days: -1 });
    const { expiresAtMs } = await readCredentials({ endpoint: "app", tls: configOf(expired) });
    assert.ok(expiresAtMs < Date.now());
  });

  const refused: Readonly<Record<string, readonly [() => Promise<Partial<TlsConfig>>, RegExp]>> = {
    "a missing certificate": [
      async () => ({ cert: "/nowhere/a.crt" }),
      /tls-cert \/nowhere\/a\.crt does not exist; create it, or correct the path$/,
    ],
    "a folder": [
      async () => ({ key: dir }),
      /tls-key \S+ is a folder; give the path of the file in it$/,
    ],
    "a key of another certificate": [
      async () => ({ key: other.key }),
      /tls-key \S+other\.key does not belong to tls-cert \S+pair\.crt; give the key that/,
    ],
    "files that are swapped": [
      async () => ({ cert: pair.key, key: pair.cert }),
      /tls-cert \S+ holds no certificate; it holds a private key: swap tls-cert and tls-key$/,
    ],
    "a certificate in place of the key": [
      async () => ({ key: pair.cert }),
      /tls-key \S+ holds no private key; it holds a certificate: swap/,
    ],
    "a key that needs a passphrase": [
      async () => {
        const key = join(dir, "locked.key");
        await openssl("pkey", "-in", pair.key, "-aes256", "-passout", "pass:x", "-out", key);
        return { key };
      },
      /tls-key \S+locked\.key is protected by a passphrase; give it without one/,
    ],
    "a damaged certificate": [
      async () => {
        const cert = join(dir, "damaged.crt");
        const text = await readFile(pair.cert, "utf8");
        await writeFile(cert, text.replace(/\nMII../, "\nAAAAAA"));
        return { cert };
      },
      /tls-cert \S+damaged\.crt holds a damaged certificate; write it anew/,
    ],
    "an authority that is none": [
      async () => ({ ca: pair.key, clientAuth: "require" as const }),
      /tls-ca \S+ holds no certificate; give a PEM file$/,
    ],
    "a key that OpenSSL finds too short": [
      async () => {
        const short = { cert: join(dir, "short.crt"), key: join(dir, "short.key") };
        const rsa = ["-newkey", "rsa:512", "-nodes", "-keyout", short.key, "-subj", "/CN=short"];
        await openssl("req", "-x509", ...rsa, "-out", short.cert);
        return short;
      },
      /OpenSSL refuses tls-cert \S+short\.crt: .*too small/,
    ],
  };
  for (const [what, [files, message]] of Object.entries(refused)) {
    it(`refuses ${what}, naming endpoint, file and remedy`, async () => {
      const tls = configOf(await files());
      await assert.rejects(readCredentials({ endpoint: "web", tls }), (error: Error) => {
        assert.equal(errnoOf(error), "ERR_TLS");
        assert.match(error.message, /^Cannot serve TLS on "web": /);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
