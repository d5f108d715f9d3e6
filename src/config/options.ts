/** The one table of everything that can be set; help, documentation and the resolver read it. */
import { DEFAULTS, type AccessLogFormat, type BalanceMode, type LogLevel } from "./config.ts";
import {
  ACCOUNT, APP_SERVER, BACKLOG, choice, COUNT, DURATION, ENDPOINTS, FILE, MODE, OPS,
  POSITIVE_COUNT, PROXIES, SIZE,
  SOCKET, SWITCH, TEXT, TOGGLE, WORKERS,
} from "./kinds.ts"; // prettier-ignore
import { LIMIT_SPECS } from "./limit-specs.ts";
import type { OptionSource, OptionSpec } from "./option-spec.ts";
import type { OptionValues } from "./option-values.ts";
import { WEBSOCKET_SPECS } from "./websocket-specs.ts";

export type OptionName = keyof OptionValues;

const BALANCE_MODES = [
  "load",
  "connections",
  "accept",
  "off",
] as const satisfies readonly BalanceMode[];
const ACCESS_LOG_FORMATS = [
  "json",
  "combined",
  "off",
] as const satisfies readonly AccessLogFormat[];
const LOG_LEVELS = [
  "fatal", "error", "warn", "info", "debug", "trace", "silent",
] as const satisfies readonly LogLevel[]; // prettier-ignore

export const OPTIONS: { readonly [Name in OptionName]: OptionSpec<OptionValues[Name]> } = {
  app: {
    group: "Configuration",
    description: "the app: a file, a folder or a package; on the command line it is the argument",
    kind: TEXT,
    sources: ["variable", "file"],
  },
  listen: {
    group: "Endpoints",
    description: "where the app is served; may be repeated",
    kind: ENDPOINTS,
    default: DEFAULTS.listen,
  },
  socket: {
    group: "Endpoints",
    description: "short for --listen when there is one Unix socket",
    kind: SOCKET,
  },
  "socket-mode": {
    group: "Endpoints",
    description: "permissions of --socket, in octal",
    kind: MODE,
    default: MODE.format(DEFAULTS.socketMode).toString(),
  },
  "socket-group": {
    group: "Endpoints",
    description: "group of --socket, by name or number",
    kind: ACCOUNT,
  },
  takeover: {
    group: "Endpoints",
    description:
      "relieve the live outrigger that serves these Unix sockets, once we are ready, without losing a request",
    kind: TOGGLE,
  },
  ops: {
    group: "Endpoints",
    description:
      "where probes and metrics are served; a kubelet needs 0.0.0.0 or the address of the pod",
    kind: OPS,
    default: DEFAULTS.ops,
  },
  probe: {
    group: "Endpoints",
    description:
      "a bare TCP port for load balancers, open exactly while /readyz passes and refused otherwise",
    kind: OPS,
    default: DEFAULTS.probe,
  },
  backlog: {
    group: "Endpoints",
    description: "length of the kernel's accept queue",
    kind: BACKLOG,
    default: DEFAULTS.backlog,
  },
  "max-connections": {
    group: "Endpoints",
    description:
      "open connections per endpoint and worker above which more are answered 503; 0 is no limit",
    kind: COUNT,
    default: DEFAULTS.maxConnections,
  },
  "app-server": {
    group: "Workers",
    description:
      "of an app that calls listen() itself: the server that is served, by the port it asks for; auto is the first, off lets all of them listen",
    kind: APP_SERVER,
    default: DEFAULTS.appServer,
  },
  "wait-ready": {
    group: "Workers",
    description: 'a worker is ready only when its app has called process.send("ready"), as for PM2',
    kind: TOGGLE,
  },
  "start-timeout": {
    group: "Workers",
    description: "how long a worker may take to become ready; 0 is no limit",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.startTimeoutMs).toString(),
  },
  workers: {
    group: "Workers",
    description:
      "worker processes; auto is one per CPU the cgroup grants, 0 serves in this process; WEB_CONCURRENCY stands in for it",
    kind: WORKERS,
    default: DEFAULTS.workers,
  },
  "min-ready": {
    group: "Workers",
    description: "workers that must accept for /readyz to pass",
    kind: POSITIVE_COUNT,
    default: DEFAULTS.minReady,
  },
  balance: {
    group: "Workers",
    description:
      "how workers share connections: as the kernel gives them (off), new ones evenly (accept), kept-alive ones too (connections), and away from busy workers (load)",
    kind: choice(BALANCE_MODES.join("|"), BALANCE_MODES),
    default: DEFAULTS.balance,
  },
  "max-requests": {
    group: "Workers",
    description: "requests after which a worker is replaced; 0 is never",
    kind: COUNT,
    default: DEFAULTS.maxRequests,
  },
  "max-lifetime": {
    group: "Workers",
    description: "time after which a worker is replaced; 0 is never",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.maxLifetimeMs).toString(),
  },
  "max-rss": {
    group: "Workers",
    description: "resident memory above which a worker is replaced, such as 512Mi; 0 is never",
    kind: SIZE,
    default: SIZE.format(DEFAULTS.maxRssBytes).toString(),
  },
  "worker-timeout": {
    group: "Workers",
    description: "a worker that has not reported for this long is replaced; 0 is never",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.workerTimeoutMs).toString(),
  },
  "keep-alive-timeout": {
    group: "HTTP",
    description:
      "how long a connection may stay idle; longer than the proxy in front keeps it; 0 is no limit",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.keepAliveTimeoutMs).toString(),
  },
  "headers-timeout": {
    group: "HTTP",
    description:
      "how long the headers of a request may take, at most the request timeout; 0 is no limit",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.headersTimeoutMs).toString(),
  },
  "request-timeout": {
    group: "HTTP",
    description: "how long receiving a whole request may take; 0 is no limit",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.requestTimeoutMs).toString(),
  },
  "max-header-size": { group: "HTTP", ...LIMIT_SPECS["max-header-size"] },
  "max-headers": { group: "HTTP", ...LIMIT_SPECS["max-headers"] },
  "max-request-line": { group: "HTTP", ...LIMIT_SPECS["max-request-line"] },
  "max-body-size": { group: "HTTP", ...LIMIT_SPECS["max-body-size"] },
  "max-streams": { group: "HTTP", ...LIMIT_SPECS["max-streams"] },
  "websocket-ping-interval": { group: "HTTP", ...WEBSOCKET_SPECS["websocket-ping-interval"] },
  "trusted-proxies": {
    group: "HTTP",
    description:
      "peers whose forwarded headers are believed: unix, addresses, CIDR ranges, or none",
    kind: PROXIES,
    default: DEFAULTS.trustedProxies.join(","),
  },
  "drain-delay": {
    group: "Stopping",
    description: "how long we keep accepting after readiness has failed",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.drainDelayMs).toString(),
  },
  "drain-until-gone": {
    group: "Stopping",
    description: "keep accepting until this file is gone, such as the pid file of nginx",
    kind: FILE,
  },
  "grace-period": {
    group: "Stopping",
    description: "from the signal to the cut of what is still open",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.gracePeriodMs).toString(),
  },
  "websocket-close-code": { group: "Stopping", ...WEBSOCKET_SPECS["websocket-close-code"] },
  "access-log": {
    group: "Logs",
    description: "one line per request, in this form",
    kind: choice(ACCESS_LOG_FORMATS.join("|"), ACCESS_LOG_FORMATS),
    default: DEFAULTS.accessLog,
  },
  "log-level": {
    group: "Logs",
    description: `the least severe line that is written: ${LOG_LEVELS.join(", ")}`,
    kind: choice("LEVEL", LOG_LEVELS),
    default: DEFAULTS.logLevel,
  },
  config: {
    group: "Configuration",
    description:
      "JSON file with these options as keys; its relative paths start from the working directory",
    kind: FILE,
    sources: ["flag", "variable"],
  },
  "print-config": {
    group: "Configuration",
    description: "print the effective configuration as such a file, and exit",
    kind: SWITCH,
    sources: ["flag"],
  },
};

/** Every option, in the order of the table. */
export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTIONS) as OptionName[];

/** The options one source may give. */
export function optionsOf(source: OptionSource): readonly OptionName[] {
  return OPTION_NAMES.filter((name) => OPTIONS[name].sources?.includes(source) ?? true);
}
