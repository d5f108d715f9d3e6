import { resolve } from "node:path";
import { OutriggerError } from "../errors.ts";
import {
  DEFAULTS,
  type Config,
  type DrainConfig,
  type Endpoint,
  type HttpConfig,
  type OpsEndpoint,
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
import { readNumber, refuseNumber } from "./read-number.ts";
import { resolveEndpoints } from "./resolve-endpoints.ts";
import { resolveWorkers } from "./resolve-workers.ts";
import { refuseUnheardProxies } from "./unheard-proxies.ts";
import { ValueError } from "./value-error.ts";
import { parseAppServer } from "./values.ts";

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
  const ops = resolveOps(layers, endpoints);
  return {
    app: resolveApp(layers, input.defaultApp),
    appServer: choose(layers, "app-server")?.value ?? parseAppServer(DEFAULTS.appServer),
    startTimeoutMs: readNumber(layers, "start-timeout", DEFAULTS.startTimeoutMs),
    endpoints,
    takeover: resolveTakeover(layers, endpoints),
    ops,
    probe: resolveProbe(layers, endpoints, ops),
    ...resolveWorkers(layers, input.cpuCount),
    balance: choose(layers, "balance")?.value ?? DEFAULTS.balance,
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
