import type { Config, Endpoint, TcpEndpoint, UnixEndpoint } from "../config/config.ts";
import { chooseTimeouts } from "../config/timeouts.ts";
import { formatDuration } from "../config/duration.ts";
import { formatHostPort } from "../host-port.ts";
import { chooseUpstream } from "./target.ts";

/** nginx's own default. */
const NGINX_KEEP_ALIVE_MS = 60_000;
/** How much of our timeout nginx takes: 55 s of 75 s. */
const SHARE = [11, 15] as const;

/** Writes what goes into nginx's `http` block: the upstream, and a server that passes everything on to it. */
export function printNginx(config: Config): string {
  const upstream = chooseUpstream(config);
  const { keepAliveTimeoutMs } = chooseTimeouts(upstream.timeouts, config.http);
  const ours = keepAliveTimeoutMs === 0 ? "without limit" : formatDuration(keepAliveTimeoutMs);
  return `upstream outrigger {
    server ${formatServer(upstream)};
    keepalive 32;
    keepalive_timeout ${formatKeepAlive(keepAliveTimeoutMs)};       # less than --keep-alive-timeout, which is ${ours}
    keepalive_requests 10000;
}
map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      '';                  # not "close": that would end upstream keep-alive
}
server {
    listen 8080;
    location / {
        ${formatProxyPass(upstream)}
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $host;
        proxy_set_header X-Forwarded-Port "";
        proxy_connect_timeout 2s;
        proxy_next_upstream error timeout;
    }
}
`;
}

/** nginx takes whatever certificate it is shown, unless it is told whose. */
function formatProxyPass({ tls }: Endpoint): string {
  if (tls === undefined) return "proxy_pass http://outrigger;";
  return `proxy_pass https://outrigger;
        # proxy_ssl_verify on; proxy_ssl_name NAME; proxy_ssl_trusted_certificate CA_FILE;`;
}

function formatServer(endpoint: UnixEndpoint | TcpEndpoint): string {
  if (endpoint.kind === "unix") return quote(`unix:${endpoint.path}`);
  const isEvery = endpoint.host === "::" || endpoint.host === "0.0.0.0";
  return formatHostPort(isEvery ? { ...endpoint, host: "127.0.0.1" } : endpoint);
}

/** Blanks and what means something to nginx take quotes. */
function quote(word: string): string {
  return /[\s;{}"'#$\\]/.test(word) ? `"${word.replaceAll(/["\\]/g, "\\$&")}"` : word;
}

function formatKeepAlive(oursMs: number): string {
  if (oursMs === 0) return formatDuration(NGINX_KEEP_ALIVE_MS);
  const shareMs = Math.floor((oursMs * SHARE[0]) / SHARE[1]);
  const shortened = shareMs >= 1_000 ? shareMs - (shareMs % 1_000) : Math.max(shareMs, 1);
  return formatDuration(shortened);
}
