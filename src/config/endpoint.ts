import {
  DEFAULTS,
  type AbstractEndpoint,
  type BoundAddress,
  type Endpoint,
  type HandedEndpoint,
  type HandedSource,
  type TcpEndpoint,
  type UnixEndpoint,
} from "./config.ts";
import { FILE_OPTIONS, parseEndpointOptions, type EndpointOptions } from "./endpoint-options.ts";
import { chooseLimits, formatLimits, type RequestLimits } from "./limits.ts";
import { formatHostPort } from "../host-port.ts";
import { parseHandedSource } from "./handed-source.ts";
import { parseHostPort } from "./host-port.ts";
import { formatTimeouts } from "./timeouts.ts";
import { formatTls, resolveTls } from "./tls-options.ts";
import { escapePath, parseAbstractName, parseSocketPath, unescapePath } from "./socket-path.ts";
import { ValueError } from "./value-error.ts";
import { formatMode } from "./values.ts";

/** An endpoint whose name may still have to be chosen, which needs a look at all of them. */
export type UnnamedEndpoint =
  | Unnamed<UnixEndpoint>
  | Unnamed<AbstractEndpoint>
  | Unnamed<TcpEndpoint>
  | Unnamed<HandedEndpoint>;

type Unnamed<E extends Endpoint> = Omit<E, "name"> & { readonly name: string | undefined };

/** What an endpoint takes from its surroundings where its own text is silent. */
export interface EndpointContext {
  /** Folder that relative paths start from. */
  readonly cwd: string;
  readonly backlog: number;
  readonly maxConnections: number;
  readonly limits: RequestLimits;
}

/** The part of an endpoint that says where it is. */
export type EndpointAddress =
  | BoundAddress
  | { readonly kind: "handed"; readonly source: HandedSource };

/** Reads one value of `--listen`. Prefix forms come first; then a colon means TCP, and anything else is a path. */
export function parseEndpoint(text: string, context: EndpointContext): UnnamedEndpoint {
  try {
    refuseBlanks(text);
    const question = text.indexOf("?");
    const address = question === -1 ? text : text.slice(0, question);
    const target = parseTarget(address, context.cwd);
    const options = question === -1 ? undefined : parseEndpointOptions(text.slice(question + 1));
    return combine(target, options, context);
  } catch (thrown) {
    throw thrown instanceof ValueError ? thrown.within(text) : thrown;
  }
}

/** Writes an endpoint with all its options; the inverse of `parseEndpoint`. */
export function formatEndpoint(endpoint: Endpoint): string {
  const file = endpoint.kind === "unix" ? endpoint : undefined;
  const options = [
    ["mode", file && formatMode(file.mode)],
    ["group", file?.group],
    ["owner", file?.owner],
    ["backlog", endpoint.backlog],
    ["max-connections", endpoint.maxConnections],
    ...formatLimits(endpoint.limits, DEFAULTS.limits),
    ...formatTimeouts(endpoint.timeouts),
    ["proxy-protocol", endpoint.proxyProtocol === "off" ? undefined : endpoint.proxyProtocol],
    ["name", endpoint.name],
    ["http", endpoint.http],
    ...formatTls(endpoint.tls),
  ];
  const given = options.filter(([, value]) => value !== undefined);
  const address = file === undefined ? formatAddress(endpoint) : escapePath(file.path);
  return `${address}?${given.map(([key, value]) => `${key}=${value}`).join("&")}`;
}

/**
 * Writes where an endpoint is, as people do: `/run/app.sock`, `@name`, `127.0.0.1:8000`, `[::1]:8000`,
 * `systemd:web`.
 */
export function formatAddress(endpoint: EndpointAddress): string {
  switch (endpoint.kind) {
    case "unix":
      return endpoint.path;
    case "abstract":
      return `@${endpoint.abstractName}`;
    case "tcp":
      return formatHostPort(endpoint);
    case "handed":
      return formatSource(endpoint.source);
  }
}

/** Writes how a socket that is handed over is named: `fd:3`, `systemd:web`. */
export function formatSource(source: HandedSource): string {
  return source.by === "descriptor" ? `fd:${source.descriptor}` : `systemd:${source.socketName}`;
}

const WHY_NO_FILE = {
  tcp: "the file of a Unix socket, and a TCP endpoint has none",
  abstract: "the file of a Unix socket, and an abstract socket has none",
  handed: "a file that we make, and this socket is made by whoever hands it over",
} as const;

function combine(
  target: EndpointAddress,
  options: EndpointOptions | undefined,
  context: EndpointContext,
): UnnamedEndpoint {
  const common = {
    backlog: options?.backlog ?? context.backlog,
    maxConnections: options?.maxConnections ?? context.maxConnections,
    limits: chooseLimits((name) => options?.limits[name], context.limits),
    proxyProtocol: options?.proxyProtocol ?? DEFAULTS.proxyProtocol,
    name: options?.name,
    ...(options?.timeouts && { timeouts: options.timeouts }),
    ...(options?.http && { http: options.http }),
    ...(options?.tls && { tls: resolveTls(options.tls, context.cwd) }),
  };
  if (target.kind !== "unix") {
    const misplaced = FILE_OPTIONS.find((key) => options?.[key] !== undefined);
    if (misplaced === undefined)
      return target.kind === "handed"
        ? { ...target, ...common, found: undefined }
        : { ...target, ...common };
    throw refuse(misplaced, `option "${misplaced}" is for ${WHY_NO_FILE[target.kind]}`);
  }
  const mode = options?.mode ?? DEFAULTS.socketMode;
  return { ...target, ...common, mode, group: options?.group, owner: options?.owner };
}

function parseTarget(address: string, cwd: string): EndpointAddress {
  if (address.startsWith("unix:")) return parseUnixForm(address, cwd);
  if (address.startsWith("@"))
    return { kind: "abstract", abstractName: parseAbstractName(address.slice(1)) };
  if (/^(?:fd|systemd):/.test(address))
    return { kind: "handed", source: parseHandedSource(address) };
  if (/^(?:\/|\.\.?\/|~)/.test(address)) return parsePath(address, cwd);
  const url = /^[a-z][a-z0-9+.-]*:\/\/([^/]*)/i.exec(address);
  if (url !== null) throw refuse(address, `an endpoint is not a URL: did you mean "${url[1]}"`);
  if (address.includes(":") || address.startsWith("[") || /^\d+$/.test(address)) {
    return { kind: "tcp", ...parseHostPort(address) };
  }
  if (!address.includes("/") && !/\.sock(?:et)?$/.test(address))
    throw refuse(address, explainBareWord(address));
  return parsePath(address, cwd);
}

function parsePath(text: string, cwd: string): EndpointAddress {
  return { kind: "unix", path: parseSocketPath(unescapePath(text), cwd) };
}

function parseUnixForm(address: string, cwd: string): EndpointAddress {
  const path = address.slice("unix:".length);
  if (/^\/\/(?!\/)/.test(path)) {
    throw refuse(
      address,
      `unix: is followed by the path alone: did you mean "unix:${path.slice(1)}"`,
    );
  }
  return parsePath(path, cwd);
}

function refuseBlanks(text: string): void {
  if (text.trim() === "")
    throw refuse(text, "expected an endpoint such as /run/app/app.sock or 127.0.0.1:8000");
  if (text.trim() !== text) throw refuse(text, "the endpoint begins or ends with white space");
}

function explainBareWord(word: string): string {
  if (word === "")
    return "the address is missing: expected an endpoint such as /run/app/app.sock or 127.0.0.1:8000";
  if (word === "systemd" || word === "fd")
    return `expected which socket is meant: did you mean "systemd:NAME" or "fd:3"`;
  return `expected a path or HOST:PORT: did you mean "./${word}" or "${word}:8000"`;
}

function refuse(text: string, reason: string): ValueError {
  return new ValueError(text, reason, "ERR_ENDPOINT");
}
