import { DEFAULTS, type Config, type Endpoint } from "../config/config.ts";
import { formatAddress } from "../config/endpoint.ts";
import { formatLimits } from "../config/limits.ts";
import { formatConfig } from "../config/format.ts";
import { flagOf } from "../config/option-names.ts";
import { OPTION_NAMES, OPTIONS } from "../config/options.ts";
import { formatTimeouts } from "../config/timeouts.ts";
import { formatTls } from "../config/tls-options.ts";
import { formatMode } from "../config/values.ts";

/** Options that are written by hand where snippets need them. */
const APART = ["app", "listen", "ops"];

/** The flags that make `plain`, a configuration of defaults, into this one; without app and ops endpoint. */
export function formatFlags(config: Config, plain: Config): readonly string[] {
  const [values, defaults] = [toValues(config), toValues(plain)];
  const others = OPTION_NAMES.filter((name) => !APART.includes(name))
    .filter((name) => values[name] !== undefined && values[name] !== defaults[name])
    .map((name) => {
      const isSwitch = OPTIONS[name].kind.arity === "switch";
      return isSwitch ? flagOf(name) : `${flagOf(name)}=${values[name]}`;
    });
  return [...formatEndpoints(config.endpoints), ...others];
}

function formatEndpoints(endpoints: readonly Endpoint[]): readonly string[] {
  const [first] = endpoints;
  if (endpoints.length === 1 && first?.kind === "unix" && isPlain(first)) {
    return [
      `--socket=${first.path}`,
      ...(first.mode === DEFAULTS.socketMode ? [] : [`--socket-mode=${formatMode(first.mode)}`]),
      ...(first.group === undefined ? [] : [`--socket-group=${first.group}`]),
      ...(first.backlog === DEFAULTS.backlog ? [] : [`--backlog=${first.backlog}`]),
      ...(first.maxConnections === 0 ? [] : [`--max-connections=${first.maxConnections}`]),
      ...formatLimits(first.limits, DEFAULTS.limits).map(([name, text]) => `--${name}=${text}`),
    ];
  }
  return endpoints.map((endpoint) => `--listen=${formatWithOptions(endpoint)}`);
}

/** With the options that are not as they would be anyway. */
function formatWithOptions(endpoint: Endpoint): string {
  const { backlog, maxConnections, name, proxyProtocol } = endpoint;
  const address = formatAddress(endpoint);
  const file = endpoint.kind === "unix" ? endpoint : undefined;
  const options = [
    ["mode", file && file.mode !== DEFAULTS.socketMode ? formatMode(file.mode) : undefined],
    ["group", file?.group],
    ["owner", file?.owner],
    ["backlog", backlog === DEFAULTS.backlog ? undefined : backlog],
    ["max-connections", maxConnections === DEFAULTS.maxConnections ? undefined : maxConnections],
    ...formatLimits(endpoint.limits, DEFAULTS.limits),
    ...formatTimeouts(endpoint.timeouts),
    ["proxy-protocol", proxyProtocol === DEFAULTS.proxyProtocol ? undefined : proxyProtocol],
    ["name", name === "app" || name === address ? undefined : name],
    ["http", endpoint.http],
    ...formatTls(endpoint.tls),
  ].filter(([, value]) => value !== undefined);
  const query = options.map(([key, value]) => `${key}=${value}`).join("&");
  return query === "" ? address : `${address}?${query}`;
}

/** As a config file would hold them; a list as one text. */
function toValues(config: Config): Readonly<Record<string, string>> {
  const values: unknown = JSON.parse(formatConfig(config));
  const entries = Object.entries(values ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
}

/** Whether the short form can say it all. */
function isPlain({
  owner,
  name,
  proxyProtocol,
  tls,
  http,
  timeouts,
}: Endpoint & { readonly kind: "unix" }): boolean {
  if ([owner, tls, http, timeouts].some((one) => one !== undefined)) return false;
  return name === "app" && proxyProtocol === DEFAULTS.proxyProtocol;
}
