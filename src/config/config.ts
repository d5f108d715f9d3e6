import type { RequestLimits } from "./limits.ts";
import type { HttpConfig, OwnTimeouts } from "./timeouts.ts";

/** How an endpoint speaks TLS. */
export interface TlsConfig {
  /** Absolute path of the certificate, PEM; those of the authorities between it and the root follow it. */
  readonly cert: string;
  /** Absolute path of its private key, PEM. */
  readonly key: string;
  /** Absolute path of the authorities whose certificates clients may show. */
  readonly ca: string | undefined;
  /** Whether clients must show a certificate, may show one, or are not asked. */
  readonly clientAuth: "require" | "request" | "none";
  readonly minVersion: "1.2" | "1.3";
}

/** Options every endpoint for the app has. */
interface AppEndpointOptions {
  /** Label in logs, metrics and `context.endpoint`; unique. */
  readonly name: string;
  /** Length of the kernel's accept queue. */
  readonly backlog: number;
  /** Open connections per worker above which further ones are answered 503; 0 is no limit. */
  readonly maxConnections: number;
  readonly limits: RequestLimits;
  /** Absent where those of the program hold. */
  readonly timeouts?: OwnTimeouts;
  readonly proxyProtocol: ProxyProtocolMode;
  /** Absent where connections are not encrypted. */
  readonly tls?: TlsConfig;
  /** Absent means `auto`. */
  readonly http?: HttpVersions;
}

/** Versions of HTTP that are spoken: 1.1, 2, or what the client begins with. */
export type HttpVersions = "1" | "2" | "auto";

/** Whether a connection begins with a PROXY header: never, where its sender likes, or always. */
export type ProxyProtocolMode = "off" | "optional" | "require";

/** A Unix socket with a name in the file system. */
export interface UnixEndpoint extends AppEndpointOptions {
  readonly kind: "unix";
  /** Absolute path of the public name. */
  readonly path: string;
  /** Permission bits, such as `0o660`. */
  readonly mode: number;
  /** Group by name or number; undefined keeps what the directory gives. */
  readonly group: string | undefined;
  /** Owner by name or number; undefined keeps ours. */
  readonly owner: string | undefined;
}

/** A Linux abstract socket, written `@name`: no file, no permissions, one network namespace. */
export interface AbstractEndpoint extends AppEndpointOptions {
  readonly kind: "abstract";
  /** The name without its `@`. */
  readonly abstractName: string;
}

/** A TCP address. */
export interface TcpEndpoint extends AppEndpointOptions {
  readonly kind: "tcp";
  /** Host name or numeric address; `::` is every address of both families. */
  readonly host: string;
  /** 0 asks the system for a free port. */
  readonly port: number;
}

/** How a socket is named that whoever started us has opened: `fd:3`, `systemd:web`. */
export type HandedSource =
  | { readonly by: "descriptor"; readonly descriptor: number }
  | { readonly by: "name"; readonly socketName: string };

/** A listening socket that somebody else opens and hands to us. */
export interface HandedEndpoint extends AppEndpointOptions {
  readonly kind: "handed";
  readonly source: HandedSource;
  /** Undefined until it is looked for, which is the first thing a start does. */
  readonly found: HandedSocket | undefined;
}

/** A socket that we were handed. */
export interface HandedSocket {
  /** In our own table. */
  readonly descriptor: number;
  readonly bound: BoundAddress;
}

/** What a socket is bound to that others have opened. */
export type BoundAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "abstract"; readonly abstractName: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** Where we are told to listen. */
export type Endpoint = UnixEndpoint | AbstractEndpoint | TcpEndpoint | HandedEndpoint;

/** A TCP address of ours that is not for the app: where probes and metrics are served, or the probe port. */
export interface OpsEndpoint {
  readonly host: string;
  readonly port: number;
}

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
export type { HttpConfig };

export type AccessLogFormat = "json" | "combined" | "off";

/** The code that WebSockets are closed with when a worker drains; `off` leaves them to the app. */
export type WebSocketCloseCode = 1001 | 1012 | "off";

export interface WebSocketConfig {
  readonly closeCode: WebSocketCloseCode;
  /** Time between two pings of a WebSocket that we accepted; 0 is never. */
  readonly pingIntervalMs: number;
}

export interface DrainConfig {
  /** How long we keep accepting after readiness has failed. */
  readonly delayMs: number;
  /** Keep accepting until this file is gone; undefined waits for none. */
  readonly untilGone: string | undefined;
  /** From the signal to the cut. */
  readonly gracePeriodMs: number;
}

/** When a worker that is well is replaced all the same; 0 is never. */
export interface RecycleConfig {
  /** Requests it has answered. */
  readonly maxRequests: number;
  /** Time since it became ready. */
  readonly maxLifetimeMs: number;
  /** Resident memory, in several samples in a row. */
  readonly maxRssBytes: number;
}

/**
 * How workers share connections. `off`: the kernel gives them to whoever is first. `accept`: new ones
 * are shared out evenly. `connections`: and those that are kept alive are moved when their numbers
 * are uneven. `load`: and when some workers are busier than others.
 */
export type BalanceMode = "load" | "connections" | "accept" | "off";

/** Which server of an app that listens by itself is served on our endpoints: the first, the one that asks for a port, or none. */
export type AppServerChoice =
  | { readonly kind: "first" }
  | { readonly kind: "port"; readonly port: number }
  | { readonly kind: "off" };

export interface LogConfig {
  readonly level: LogLevel;
  readonly accessLog: AccessLogFormat;
}

/** Everything that was decided before anything is bound; it crosses the process boundary as it is. */
export interface Config {
  /** The app's entry as the user named it: a file, a folder or a package. */
  readonly app: string;
  readonly appServer: AppServerChoice;
  /** Whether a worker is ready only when its app says so with `process.send("ready")`. */
  readonly waitReady: boolean;
  /** What a worker is given to become ready; 0 is no limit. */
  readonly startTimeoutMs: number;
  readonly endpoints: readonly Endpoint[];
  /** Whether paths that a live Outrigger serves are taken over from it. */
  readonly takeover: boolean;
  /** Undefined switches the ops endpoint off. */
  readonly ops: OpsEndpoint | undefined;
  /** A bare TCP port that is open while we are ready; undefined is none. */
  readonly probe: OpsEndpoint | undefined;
  /** Worker processes; 0 serves in this process. */
  readonly workers: number;
  /** Workers that must accept for `/readyz` to pass. */
  readonly minReady: number;
  readonly balance: BalanceMode;
  readonly recycle: RecycleConfig;
  /** Silence after which a ready worker is replaced; 0 is never, and always so with no worker processes. */
  readonly workerTimeoutMs: number;
  readonly http: HttpConfig;
  readonly webSocket: WebSocketConfig;
  readonly drain: DrainConfig;
  readonly log: LogConfig;
  /** Peers whose forwarded headers are believed: `unix`, addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[];
}

/** Every default on one screen; help, documentation and the resolver read them from here. */
export const DEFAULTS = {
  listen: "127.0.0.1:8000",
  socketMode: 0o660,
  takeover: false,
  ops: "127.0.0.1:9464",
  probe: "off",
  appServer: "auto",
  waitReady: false,
  startTimeoutMs: 60_000,
  workers: "auto",
  minReady: 1,
  balance: "load",
  maxRequests: 0,
  maxLifetimeMs: 0,
  maxRssBytes: 0,
  workerTimeoutMs: 30_000,
  backlog: 4096,
  maxConnections: 0,
  limits: {
    headerBytes: 16_384,
    headerCount: 1_000,
    requestLineBytes: 8_192,
    bodyBytes: 0,
    streams: 128,
  },
  proxyProtocol: "off",
  keepAliveTimeoutMs: 75_000,
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 300_000,
  webSocketCloseCode: 1012,
  webSocketPingIntervalMs: 20_000,
  drainDelayMs: 0,
  gracePeriodMs: 30_000,
  accessLog: "json",
  logLevel: "info",
  trustedProxies: ["unix"],
} as const;
