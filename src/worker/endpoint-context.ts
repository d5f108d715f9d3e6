import type { EndpointContext } from "../app/context.ts";
import { createTrustedProxies } from "../app/forwarded.ts";
import { Heartbeat } from "../app/heartbeat.ts";
import type { BoundAddress, Config, Endpoint } from "../config/config.ts";
import { boundAddressOf } from "../config/handed-source.ts";

/** What the requests of an endpoint have in common. */
export function createEndpointContext(
  endpoint: Endpoint,
  config: Config,
  draining: AbortSignal,
): EndpointContext {
  const bound = boundAddressOf(endpoint);
  return {
    name: endpoint.name,
    server: serverAddressOf(bound),
    scheme: endpoint.tls === undefined ? "http" : "https",
    trusted: createTrustedProxies(proxiesOn(bound, config)),
    draining,
    heartbeat: new Heartbeat(config.webSocket.pingIntervalMs),
  };
}

/** A TCP peer whose address is not known any more must not pass for one on a Unix socket. */
function proxiesOn({ kind }: BoundAddress, { trustedProxies }: Config): readonly string[] {
  return kind === "tcp" ? trustedProxies.filter((entry) => entry !== "unix") : trustedProxies;
}

function serverAddressOf(endpoint: BoundAddress): EndpointContext["server"] {
  switch (endpoint.kind) {
    case "unix":
      return { path: endpoint.path };
    case "abstract":
      return { path: `@${endpoint.abstractName}` };
    case "tcp":
      return { host: endpoint.host, port: endpoint.port };
  }
}
