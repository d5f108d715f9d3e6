import type { AppModule } from "../app/load.ts";
import type { FlagValues } from "../config/layers.ts";
import { resolveConfig } from "../config/resolve.ts";
import { formatHostPort } from "../host-port.ts";
import { escapePath } from "../config/socket-path.ts";
import { escapeValue } from "../config/tls-options.ts";
import { formatMode } from "../config/values.ts";
import { OutriggerError } from "../errors.ts";
import { createLogger } from "../log/logger.ts";
import { inlineWorker } from "../supervisor/inline-worker.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { readVersion } from "../version.ts";
import { toMilliseconds, type Duration } from "./duration.ts";
import { Server, type ListenOptions, type ServeOptions, type TlsListenOptions } from "./server.ts";

/**
 * Serves an app in this process, with the listener manager and the serving code of the program. No
 * signals are taken and no environment is read. Resolves when the endpoints are published.
 *
 * @throws {OutriggerError} `ERR_CONFIG` or `ERR_ENDPOINT` for options that cannot be, `ERR_LISTEN`
 *   when an endpoint cannot be claimed, `ERR_WORKER` when the app does not start. Nothing stays bound.
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const config = resolveConfig({
    app: typeof options.app === "string" ? options.app : "app",
    flags: toFlags(options),
    env: {},
    cwd: process.cwd(),
    cpuCount: 1,
    readFile: () => "{}",
  });
  const log = await createLogger({ level: config.log.level });
  const events: { server?: Server } = {};
  const supervisor = new Supervisor({
    config,
    log,
    version: readVersion(),
    spawn: inlineWorker({
      log,
      isPretty: false,
      isMain: false,
      cwd: process.cwd(),
      ...toModule(options.app),
    }),
    onPhase: (phase) => phase === "draining" && events.server?.emit("draining"),
    onSocket: (endpoint, event) => events.server?.emit(event, endpoint),
  });
  const server = new Server(supervisor, await supervisor.start());
  events.server = server;
  return server;
}

/** One grammar, one place that refuses: options take the way of the command line. */
function toFlags(options: ServeOptions): FlagValues {
  return {
    workers: "0",
    listen: options.listen === undefined ? undefined : [options.listen].flat().map(toEndpointText),
    ops: toOpsText(options.ops),
    backlog: toText(options.backlog),
    "max-connections": toText(options.maxConnections),
    "max-header-size": options.maxHeaderSize,
    "max-headers": toText(options.maxHeaders),
    "max-request-line": options.maxRequestLine,
    "max-body-size": options.maxBodySize,
    "max-streams": toText(options.maxStreams),
    "keep-alive-timeout": toDurationText(options.keepAliveTimeout),
    "headers-timeout": toDurationText(options.headersTimeout),
    "request-timeout": toDurationText(options.requestTimeout),
    "start-timeout": toDurationText(options.startTimeout),
    "drain-delay": toDurationText(options.drainDelay),
    "grace-period": toDurationText(options.gracePeriod),
    "access-log": options.accessLog ?? "off",
    "log-level": options.logLevel ?? "silent",
    "trusted-proxies": options.trustedProxies && [options.trustedProxies.join(",") || "none"],
  };
}

function toEndpointText(listen: ListenOptions): string {
  if (typeof listen === "string") return listen;
  const { name } = listen;
  const tls = toTlsOptions(listen.tls);
  if ("port" in listen) {
    return withOptions(formatHostPort({ host: listen.host ?? "::", port: listen.port }), {
      name,
      ...tls,
    });
  }
  const mode = listen.socketMode === undefined ? undefined : formatMode(listen.socketMode);
  return withOptions(`unix:${escapePath(listen.socket)}`, {
    mode,
    group: toText(listen.socketGroup),
    name,
    ...tls,
  });
}

function toTlsOptions(tls: TlsListenOptions | undefined): Record<string, string | undefined> {
  if (tls === undefined) return {};
  return {
    "tls-cert": escapeValue(tls.cert),
    "tls-key": escapeValue(tls.key),
    "tls-ca": tls.ca === undefined ? undefined : escapeValue(tls.ca),
    "tls-client-auth": tls.clientAuth,
    "tls-min": tls.minVersion,
  };
}

function withOptions(address: string, options: Record<string, string | undefined>): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [key, value] of given) {
    if (value?.includes("&") !== true) continue;
    throw new OutriggerError("ERR_ENDPOINT", `Cannot use ${key} "${value}": it must not hold "&"`);
  }
  if (given.length === 0) return address;
  return `${address}?${given.map(([key, value]) => `${key}=${value}`).join("&")}`;
}

function toOpsText(ops: ServeOptions["ops"]): string {
  if (ops === undefined) return "off";
  return typeof ops === "string"
    ? ops
    : formatHostPort({ host: ops.host ?? "127.0.0.1", port: ops.port });
}

function toText(value: number | string | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function toDurationText(duration: Duration | undefined): string | undefined {
  return duration === undefined ? undefined : `${toMilliseconds(duration)}ms`;
}

/** A value that is the app itself stands where a module's default export would. */
function toModule(app: unknown): { readonly app?: AppModule } {
  if (typeof app === "string") return {};
  const isDefinition =
    typeof app === "object" && app !== null && Object.getPrototypeOf(app) === Object.prototype;
  return { app: { ...(isDefinition ? app : {}), default: app } };
}
