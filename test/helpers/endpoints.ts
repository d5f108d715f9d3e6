import { DEFAULTS } from "../../src/config/config.ts";
import type { AbstractEndpoint, TcpEndpoint, UnixEndpoint } from "../../src/config/config.ts";

const COMMON = {
  name: "app",
  backlog: 64,
  maxConnections: 0,
  limits: DEFAULTS.limits,
  proxyProtocol: "off",
} as const;

/** A Unix endpoint as the config would have it, mode 0660. */
export function unixEndpoint(path: string, overrides: Partial<UnixEndpoint> = {}): UnixEndpoint {
  return {
    ...COMMON,
    kind: "unix",
    path,
    mode: 0o660,
    group: undefined,
    owner: undefined,
    ...overrides,
  };
}

/** A TCP endpoint; port 0 asks for a free one. */
export function tcpEndpoint(host: string, port: number = 0): TcpEndpoint {
  return { ...COMMON, kind: "tcp", host, port };
}

/** An abstract endpoint, its name given without the `@`. */
export function abstractEndpoint(abstractName: string): AbstractEndpoint {
  return { ...COMMON, kind: "abstract", abstractName };
}
