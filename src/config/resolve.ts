import { resolve } from "node:path";
import { OutriggerError } from "../errors.ts";
import {
  DEFAULTS,
  type Config,
  type DrainConfig,
  type Endpoint,
  type HttpConfig,
  type OpsEndpoint,
  type RecycleConfig,
} from "./config.ts";
import { refuseOpsConflict, refuseProbeConflict } from "./endpoint-names.ts";
import { formatAddress } from "./endpoint.ts";
import { createFileLayer, openConfigFile } from "./file.ts";
import { formatDuration } from "./duration.ts";
import { parseHostPort } from "./host-port.ts";
import { refuseLateHeaders } from "./late-headers.ts";
import {
  choose,
  createFlagLayer,
  createVariableLayer,
  withPlace,
  type FlagValues,
  type Layer,
} from "./layers.ts";
import { OPTIONS } from "./options.ts";
import { resolveEndpoints } from "./resolve-endpoints.ts";
import { refuseUnheardProxies } from "./unheard-proxies.ts";
import { ValueError } from "./value-error.ts";
import { parseAppServer } from "./values.ts";

/** Less than two reports in a row may be late on any busy machine. */
const SHORTEST_WORKER_TIMEOUT_MS = 2_000;

/** All the world a configuration is made of. */
export interface ConfigInput {
  /** The argument of the command line. */
  readonly app?: string | undefined;
  /** Stands in where no app is named at all; undefined refuses that. */
  readonly defaultApp?: string;
  readonly flags: FlagValues;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  /** What `--workers auto` comes to. */
  readonly cpuCount: number;
  /** Reads the config file; called with the absolute path, and only when one is named. */
  readonly readFile: (path: string) => string;
}

/** Decides everything that can be set: flags win over variables, variables over the file, the file over defaults. */
export function resolveConfig(input: ConfigInput): Config {
  const layers = openLayers(input);
  const endpoints = resolveEndpoints(layers, input.cwd);
  const trustedProxies = choose(layers, "trusted-proxies")?.value ?? DEFAULTS.trustedProxies;
  const http = resolveHttp(layers);
  for (const endpoint of endpoints) {
    refuseUnheardProxies(endpoint, trustedProxies);
    refuseLateHeaders(endpoint, http);
  }
  const workers = resolveWorkers(layers, input.cpuCount);
  const ops = resolveOps(layers, endpoints);
  return {
    app: resolveApp(layers, input.defaultApp),
    appServer: choose(layers, "app-server")?.value ?? parseAppServer(DEFAULTS.appServer),
    waitReady: resolveWaitReady(layers, workers),
    startTimeoutMs: readNumber(layers, "start-timeout", DEFAULTS.startTimeoutMs),
    endpoints,
    takeover: resolveTakeover(layers, endpoints),
    ops,
    probe: resolveProbe(layers, endpoints, ops),
    workers,
    minReady: resolveMinReady(layers, workers),
    balance: choose(layers, "balance")?.value ?? DEFAULTS.balance,
    recycle: resolveRecycle(layers, workers),
    workerTimeoutMs: resolveWorkerTimeout(layers, workers),
    http,
    webSocket: {
      closeCode: choose(layers, "websocket-close-code")?.value ?? DEFAULTS.webSocketCloseCode,
      pingIntervalMs: readNumber(
        layers,
        "websocket-ping-interval",
        DEFAULTS.webSocketPingIntervalMs,
      ),
    },
    drain: resolveDrain(layers, input.cwd),
    log: {
      level: choose(layers, "log-level")?.value ?? DEFAULTS.logLevel,
      accessLog: choose(layers, "access-log")?.value ?? DEFAULTS.accessLog,
    },
    trustedProxies,
  };
}

function openLayers(input: ConfigInput): readonly Layer[] {
  const layers = [
    createFlagLayer({ ...input.flags, app: input.app }),
    createVariableLayer(input.env),
  ];
  const named = choose(layers, "config");
  if (named === undefined) return layers;
  const place = named.layer.describe("config", named.value);
  const file = openConfigFile(named.value, place, (name) =>
    input.readFile(resolve(input.cwd, name)),
  );
  return [...layers, createFileLayer(file)];
}

/** Where the ops endpoint is, without a look at anything else; undefined when it is off. */
export function resolveOpsAddress(input: ConfigInput): OpsEndpoint | undefined {
  const chosen = choose(openLayers(input), "ops");
  if (chosen?.value === "off") return undefined;
  return chosen?.value ?? parseHostPort(DEFAULTS.ops);
}

function resolveApp(layers: readonly Layer[], defaultApp: string | undefined): string {
  const app = choose(layers, "app")?.value ?? defaultApp;
  if (app !== undefined) return app;
  throw new OutriggerError("ERR_USAGE", "Cannot start without an app: expected outrigger ./app.js");
}

/** Whoever hands a socket over keeps it: there is nothing that could be taken over. */
function resolveTakeover(layers: readonly Layer[], endpoints: readonly Endpoint[]): boolean {
  const takeover = choose(layers, "takeover");
  if (takeover?.value !== true) return DEFAULTS.takeover;
  const handed = endpoints.find(({ kind }) => kind === "handed");
  if (handed === undefined) return true;
  const source = formatAddress(handed);
  const reason = "whoever hands that socket over keeps it, so a restart loses no connection";
  throw new OutriggerError("ERR_USAGE", `Cannot use --takeover together with ${source}: ${reason}`);
}

function resolveOps(
  layers: readonly Layer[],
  endpoints: readonly Endpoint[],
): OpsEndpoint | undefined {
  const chosen = choose(layers, "ops");
  if (chosen?.value === "off") return undefined;
  const ops = chosen?.value ?? parseHostPort(DEFAULTS.ops);
  if (chosen !== undefined) withPlace(chosen.layer, "ops", () => refuseOpsConflict(ops, endpoints));
  else refuseDefaultOpsConflict(ops, endpoints);
  return ops;
}

function resolveProbe(
  layers: readonly Layer[],
  endpoints: readonly Endpoint[],
  ops: OpsEndpoint | undefined,
): OpsEndpoint | undefined {
  const chosen = choose(layers, "probe");
  if (chosen === undefined || chosen.value === "off") return undefined;
  const { value, layer } = chosen;
  withPlace(layer, "probe", () => {
    refuseOpsConflict(value, endpoints);
    refuseProbeConflict(value, ops);
  });
  return value;
}

function refuseDefaultOpsConflict(ops: OpsEndpoint, endpoints: readonly Endpoint[]): void {
  try {
    refuseOpsConflict(ops, endpoints);
  } catch (thrown) {
    if (!(thrown instanceof ValueError)) throw thrown;
    const reason = "probes and metrics are served there unless --ops says otherwise";
    throw new OutriggerError(thrown.code, `Cannot use endpoint "${thrown.value}": ${reason}`, {
      cause: thrown,
    });
  }
}

function resolveWorkers(layers: readonly Layer[], cpuCount: number): number {
  const workers = choose(layers, "workers")?.value ?? DEFAULTS.workers;
  return workers === "auto" ? Math.max(1, cpuCount) : workers;
}

function resolveWaitReady(layers: readonly Layer[], workers: number): boolean {
  const chosen = choose(layers, "wait-ready");
  if (chosen?.value !== true || workers > 0) return chosen?.value ?? DEFAULTS.waitReady;
  const reason = "with --workers 0 the app has no process.send() of its own";
  throw new ValueError("true", reason).at(chosen.layer.describe("wait-ready", "true"));
}

function resolveMinReady(layers: readonly Layer[], workers: number): number {
  const most = Math.max(1, workers);
  const minReady = readNumber(layers, "min-ready", DEFAULTS.minReady);
  if (minReady <= most) return minReady;
  throw refuseNumber(
    layers,
    "min-ready",
    `there ${most === 1 ? "is 1 worker" : `are ${most} workers`}`,
  );
}

function resolveRecycle(layers: readonly Layer[], workers: number): RecycleConfig {
  const names = ["max-requests", "max-lifetime", "max-rss"] as const;
  const given = names.find((name) => readNumber(layers, name, 0) > 0);
  if (given !== undefined && workers === 0) {
    throw refuseNumber(layers, given, "with --workers 0 there is no worker to replace");
  }
  return {
    maxRequests: readNumber(layers, "max-requests", DEFAULTS.maxRequests),
    maxLifetimeMs: readNumber(layers, "max-lifetime", DEFAULTS.maxLifetimeMs),
    maxRssBytes: readNumber(layers, "max-rss", DEFAULTS.maxRssBytes),
  };
}

function resolveWorkerTimeout(layers: readonly Layer[], workers: number): number {
  const fallback = workers === 0 ? 0 : DEFAULTS.workerTimeoutMs;
  const timeoutMs = readNumber(layers, "worker-timeout", fallback);
  if (timeoutMs === 0) return 0;
  if (workers === 0) {
    const reason = "with --workers 0 there is no worker to replace";
    throw refuseNumber(layers, "worker-timeout", reason);
  }
  if (timeoutMs >= SHORTEST_WORKER_TIMEOUT_MS) return timeoutMs;
  const shortest = formatDuration(SHORTEST_WORKER_TIMEOUT_MS);
  const reason = `expected 0, or at least ${shortest}: workers report once a second`;
  throw refuseNumber(layers, "worker-timeout", reason);
}

function resolveHttp(layers: readonly Layer[]): HttpConfig {
  const keepAliveTimeoutMs = readNumber(layers, "keep-alive-timeout", DEFAULTS.keepAliveTimeoutMs);
  const requestTimeoutMs = readNumber(layers, "request-timeout", DEFAULTS.requestTimeoutMs);
  const longest = requestTimeoutMs === 0 ? Number.POSITIVE_INFINITY : requestTimeoutMs;
  // A default follows the request timeout down; what was asked for is refused instead of changed.
  const headersTimeoutMs = readNumber(
    layers,
    "headers-timeout",
    Math.min(DEFAULTS.headersTimeoutMs, longest),
  );
  if (headersTimeoutMs <= longest)
    return { keepAliveTimeoutMs, headersTimeoutMs, requestTimeoutMs };
  const reason = `expected at most the request timeout of ${formatDuration(requestTimeoutMs)}`;
  throw refuseNumber(layers, "headers-timeout", reason);
}

function resolveDrain(layers: readonly Layer[], cwd: string): DrainConfig {
  const delayMs = readNumber(layers, "drain-delay", DEFAULTS.drainDelayMs);
  const gracePeriodMs = readNumber(layers, "grace-period", DEFAULTS.gracePeriodMs);
  if (delayMs > 0 && delayMs >= gracePeriodMs) {
    const reason = `expected less than the grace period of ${formatDuration(gracePeriodMs)}`;
    throw refuseNumber(layers, "drain-delay", reason);
  }
  const untilGone = choose(layers, "drain-until-gone")?.value;
  return {
    delayMs,
    untilGone: untilGone === undefined ? undefined : resolve(cwd, untilGone),
    gracePeriodMs,
  };
}

/** Options that are read as numbers. */
type NumberName =
  | "min-ready"
  | "max-requests"
  | "max-lifetime"
  | "max-rss"
  | "start-timeout"
  | "worker-timeout"
  | "keep-alive-timeout"
  | "headers-timeout"
  | "request-timeout"
  | "websocket-ping-interval"
  | "drain-delay"
  | "grace-period";

function readNumber(layers: readonly Layer[], name: NumberName, fallback: number): number {
  return choose(layers, name)?.value ?? fallback;
}

/** Refuses a number that is well-formed, but does not fit the others. */
function refuseNumber(layers: readonly Layer[], name: NumberName, reason: string): OutriggerError {
  const layer = layers.find(({ values }) => values.has(name));
  const text = layer?.values.get(name)?.at(-1) ?? String(OPTIONS[name].default);
  return new ValueError(text, reason).at(layer?.describe(name, text) ?? `${name} ${text}`);
}
