import type { HttpVersions, ProxyProtocolMode, TlsConfig } from "./config.ts";
import { parseDuration } from "./duration.ts";
import { LIMIT_NAMES, LIMIT_OPTIONS, type LimitName } from "./limits.ts";
import { suggestNearest } from "./nearest.ts";
import { readTimeouts, TIMEOUT_NAMES, type OwnTimeouts } from "./timeouts.ts";
import { parseTls, TLS_KEYS } from "./tls-options.ts";
import { ValueError } from "./value-error.ts";
import { parseAccount, parseBacklog, parseChoice, parseCount, parseMode } from "./values.ts";

/** What may follow the `?` of an endpoint; undefined where nothing was said. */
export interface EndpointOptions {
  readonly mode: number | undefined;
  readonly group: string | undefined;
  readonly owner: string | undefined;
  readonly backlog: number | undefined;
  readonly maxConnections: number | undefined;
  /** Those of a request that were given. */
  readonly limits: Readonly<Partial<Record<LimitName, number>>>;
  readonly timeouts: OwnTimeouts | undefined;
  readonly proxyProtocol: ProxyProtocolMode | undefined;
  readonly name: string | undefined;
  readonly http: HttpVersions | undefined;
  /** Its paths are as they were written. */
  readonly tls: TlsConfig | undefined;
}

/** Options that say something about a file, and so about a Unix socket with a path only. */
export const FILE_OPTIONS = ["mode", "group", "owner"] as const;

const KEYS = [
  ...FILE_OPTIONS, "backlog", "max-connections", ...LIMIT_NAMES, ...TIMEOUT_NAMES,
  "name", "http", ...TLS_KEYS, "proxy-protocol",
] as const; // prettier-ignore

type Key = (typeof KEYS)[number];
type Pairs = ReadonlyMap<Key, string>;

/** Reads `key=value&…`. */
export function parseEndpointOptions(query: string): EndpointOptions {
  const pairs = parsePairs(query);
  return {
    mode: readOption(pairs, "mode", parseMode),
    group: readOption(pairs, "group", parseAccount),
    owner: readOption(pairs, "owner", parseAccount),
    backlog: readOption(pairs, "backlog", parseBacklog),
    maxConnections: readOption(pairs, "max-connections", parseCount),
    limits: readLimits(pairs),
    timeouts: readTimeouts((name) => readOption(pairs, name, parseDuration)),
    proxyProtocol: readOption(pairs, "proxy-protocol", parseProxyProtocol),
    name: readOption(pairs, "name", parseEndpointName),
    http: readOption(pairs, "http", parseHttpVersions),
    tls: parseTls((key) => pairs.get(key)),
  };
}

/** Checks the name of an endpoint, which becomes a label in logs and metrics. */
export function parseEndpointName(text: string): string {
  if (/^[A-Za-z0-9_.:/@[\]-]+$/.test(text)) return text;
  throw refuse(text, "expected letters, digits and any of _ . : / @ [ ] -");
}

function parsePairs(query: string): Pairs {
  const pairs = new Map<Key, string>();
  for (const part of query.split("&")) {
    const equals = part.indexOf("=");
    const name = equals === -1 ? part : part.slice(0, equals);
    const key = KEYS.find((known) => known === name);
    if (key === undefined) throw refuse(query, `unknown option "${name}"${suggestKey(name)}`);
    if (pairs.has(key)) throw refuse(query, `option "${key}" is given twice`);
    if (equals === -1 || equals === part.length - 1)
      throw refuse(query, `option "${key}" has no value`);
    pairs.set(key, part.slice(equals + 1));
  }
  return pairs;
}

function suggestKey(name: string): string {
  return suggestNearest(name, KEYS) || `: expected one of ${KEYS.join(", ")}`;
}

function readOption<T>(pairs: Pairs, key: Key, parse: (text: string) => T): T | undefined {
  const text = pairs.get(key);
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (thrown) {
    throw thrown instanceof ValueError
      ? refuse(text, `${key} "${text}" is refused, ${thrown.reason}`)
      : thrown;
  }
}

function readLimits(pairs: Pairs): EndpointOptions["limits"] {
  const given = LIMIT_NAMES.filter((name) => pairs.has(name));
  return Object.fromEntries(
    given.map((name) => [name, readOption(pairs, name, LIMIT_OPTIONS[name].parse)]),
  );
}

function parseProxyProtocol(text: string): ProxyProtocolMode {
  if (text === "require" || text === "optional" || text === "off") return text;
  throw refuse(text, "expected require, optional or off");
}

function parseHttpVersions(text: string): HttpVersions {
  return parseChoice(text, ["1", "2", "auto"]);
}

function refuse(text: string, reason: string): ValueError {
  return new ValueError(text, reason, "ERR_ENDPOINT");
}
