import type { Config } from "./config.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { FileValue } from "./kinds.ts";
import { OPTIONS, type OptionName } from "./options.ts";
import type { OptionValues } from "./option-values.ts";

/** Writes a configuration as a config file that resolves to it again. */
export function formatConfig(config: Config): string {
  const { recycle, http, drain, log } = config;
  const values: Record<string, FileValue> = {
    ...key("app", config.app),
    ...key("listen", config.endpoints.map(formatEndpoint)),
    ...key("takeover", config.takeover),
    ...key("ops", config.ops ?? "off"),
    ...key("probe", config.probe ?? "off"),
    ...key("workers", config.workers),
    ...key("min-ready", config.minReady),
    ...key("balance", config.balance),
    ...key("max-requests", recycle.maxRequests),
    ...key("max-lifetime", recycle.maxLifetimeMs),
    ...key("max-rss", recycle.maxRssBytes),
    ...key("worker-timeout", config.workerTimeoutMs),
    ...key("keep-alive-timeout", http.keepAliveTimeoutMs),
    ...key("headers-timeout", http.headersTimeoutMs),
    ...key("request-timeout", http.requestTimeoutMs),
    ...key("websocket-ping-interval", config.webSocket.pingIntervalMs),
    ...key("trusted-proxies", config.trustedProxies),
    ...key("drain-delay", drain.delayMs),
    ...key("drain-until-gone", drain.untilGone),
    ...key("grace-period", drain.gracePeriodMs),
    ...key("websocket-close-code", config.webSocket.closeCode),
    ...key("access-log", log.accessLog),
    ...key("log-level", log.level),
  };
  return `${JSON.stringify(values, undefined, 2)}\n`;
}

function key<Name extends OptionName>(
  name: Name,
  value: OptionValues[Name] | undefined,
): Record<string, FileValue> {
  return value === undefined ? {} : { [name]: OPTIONS[name].kind.format(value) };
}
