import type { Endpoint, OpsEndpoint } from "./config.ts";
import { parseEndpointName } from "./endpoint-options.ts";
import { formatAddress, type UnnamedEndpoint } from "./endpoint.ts";
import { ValueError } from "./value-error.ts";

const ONLY_NAME = "app";

/**
 * Gives every endpoint its name: what it says itself, `app` when it is the only one, its address
 * otherwise. Refuses two endpoints in one place or of one name.
 */
export function nameEndpoints(unnamed: readonly UnnamedEndpoint[]): readonly Endpoint[] {
  refuseDuplicates(unnamed);
  const endpoints = unnamed.map((endpoint) => ({
    ...endpoint,
    name: endpoint.name ?? (unnamed.length === 1 ? ONLY_NAME : nameByAddress(endpoint)),
  }));
  refuseRepeatedNames(endpoints);
  return endpoints;
}

/** Refuses an ops endpoint, or a probe port, where an app endpoint listens already. */
export function refuseOpsConflict(ops: OpsEndpoint, endpoints: readonly Endpoint[]): void {
  const address = formatAddress({ kind: "tcp", ...ops });
  if (ops.port === 0 || !endpoints.some((endpoint) => formatAddress(endpoint) === address)) return;
  throw refuse(address, "an app endpoint listens there already");
}

/** Refuses a probe port where the ops endpoint listens: the one closes while the other must answer. */
export function refuseProbeConflict(probe: OpsEndpoint, ops: OpsEndpoint | undefined): void {
  const address = formatAddress({ kind: "tcp", ...probe });
  if (probe.port === 0 || ops === undefined) return;
  if (formatAddress({ kind: "tcp", ...ops }) !== address) return;
  throw refuse(address, "the ops endpoint is there; it must stay open where this one closes");
}

function nameByAddress(endpoint: UnnamedEndpoint): string {
  const address = formatAddress(endpoint);
  try {
    return parseEndpointName(address);
  } catch (thrown) {
    throw thrown instanceof ValueError
      ? refuse(address, "this address makes no name: add ?name=NAME")
      : thrown;
  }
}

function refuseDuplicates(endpoints: readonly UnnamedEndpoint[]): void {
  const seen = new Set<string>();
  for (const endpoint of endpoints) {
    if (endpoint.kind === "tcp" && endpoint.port === 0) continue;
    const address = formatAddress(endpoint);
    if (seen.has(address)) throw refuse(address, "this endpoint is given twice");
    seen.add(address);
  }
}

function refuseRepeatedNames(endpoints: readonly Endpoint[]): void {
  const seen = new Set<string>();
  for (const { name } of endpoints) {
    if (seen.has(name))
      throw refuse(name, "two endpoints have this name: give each its own with ?name=NAME");
    seen.add(name);
  }
}

function refuse(text: string, reason: string): ValueError {
  return new ValueError(text, reason, "ERR_ENDPOINT");
}
