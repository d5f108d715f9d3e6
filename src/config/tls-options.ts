import { resolve } from "node:path";
import type { TlsConfig } from "./config.ts";
import { ValueError } from "./value-error.ts";
import { parseChoice } from "./values.ts";

/** The keys of an endpoint that are about TLS. */
export const TLS_KEYS = ["tls-cert", "tls-key", "tls-ca", "tls-client-auth", "tls-min"] as const;

/** Reads the TLS options of an endpoint; undefined when it has none. Paths stay as they were written. */
export function parseTls(read: (key: TlsKey) => string | undefined): TlsConfig | undefined {
  const given = TLS_KEYS.filter((key) => read(key) !== undefined);
  if (given.length === 0) return undefined;
  const cert = read("tls-cert");
  const key = read("tls-key");
  if (cert === undefined || key === undefined) throw refuseHalf(given);
  const ca = read("tls-ca");
  const clientAuth = read("tls-client-auth");
  if (clientAuth !== undefined && ca === undefined) {
    const reason = "name the authority that issues the certificates of clients";
    throw refuse("tls-client-auth", `tls-client-auth is given without tls-ca: ${reason}`);
  }
  return {
    cert: parsePath("tls-cert", cert),
    key: parsePath("tls-key", key),
    ca: ca === undefined ? undefined : parsePath("tls-ca", ca),
    clientAuth: ca === undefined ? "none" : parseWord("tls-client-auth", clientAuth ?? "require"),
    minVersion: parseMinVersion(read("tls-min") ?? "1.2"),
  };
}

type TlsKey = (typeof TLS_KEYS)[number];

/** Makes paths absolute that start from `cwd`. */
export function resolveTls(texts: TlsConfig, cwd: string): TlsConfig {
  const { ca } = texts;
  return {
    ...texts,
    cert: resolve(cwd, texts.cert),
    key: resolve(cwd, texts.key),
    ca: ca === undefined ? undefined : resolve(cwd, ca),
  };
}

/** Writes TLS options as `parseTls` reads them; undefined where an endpoint has none. */
export function formatTls(
  tls: TlsConfig | undefined,
): readonly (readonly [string, string | undefined])[] {
  if (tls === undefined) return [];
  const { cert, key, ca, clientAuth, minVersion } = tls;
  return [
    ["tls-cert", escapeValue(cert)],
    ["tls-key", escapeValue(key)],
    ["tls-ca", ca && escapeValue(ca)],
    ["tls-client-auth", clientAuth === "none" ? undefined : clientAuth],
    ["tls-min", minVersion],
  ];
}

/** Writes a path so that no part of it can be taken for the next option: `&` becomes `%26`. */
export function escapeValue(path: string): string {
  return path.replaceAll(/%(?=26|25)/g, "%25").replaceAll("&", "%26");
}

function unescapeValue(text: string): string {
  return text.replaceAll(/%(26|25)/g, (_, code: string) => (code === "25" ? "%" : "&"));
}

function parsePath(key: TlsKey, text: string): string {
  const path = unescapeValue(text);
  if (/\p{Cc}/u.test(path)) throw refuse(text, `${key} holds a control character`);
  if (path.startsWith("~")) throw refuse(text, `${key}: ~ means nothing here`);
  if (/(?:^|\/)\.{0,2}$/.test(path)) {
    throw refuse(text, `${key} "${text}" is a folder: expected the path of a file in it`);
  }
  return path;
}

function parseWord(key: TlsKey, text: string): "require" | "request" {
  try {
    return parseChoice(text, ["require", "request"]);
  } catch (thrown) {
    if (!(thrown instanceof ValueError)) throw thrown;
    throw refuse(text, `${key} "${text}" is refused, ${thrown.reason}`);
  }
}

function parseMinVersion(text: string): "1.2" | "1.3" {
  if (text === "1.2" || text === "1.3") return text;
  throw refuse(
    text,
    `tls-min "${text}" is refused, expected 1.2 or 1.3: what is older is not safe`,
  );
}

function refuseHalf(given: readonly TlsKey[]): ValueError {
  const hasCert = given.includes("tls-cert");
  const hasKey = given.includes("tls-key");
  if (!hasCert && !hasKey) {
    const [first = "tls-ca"] = given;
    return refuse(first, `${first} is given without tls-cert and tls-key`);
  }
  const [one, missing] = hasCert ? ["tls-cert", "tls-key"] : ["tls-key", "tls-cert"];
  return refuse(one, `${one} is given without ${missing}: TLS wants both`);
}

function refuse(text: string, reason: string): ValueError {
  return new ValueError(text, reason, "ERR_ENDPOINT");
}
