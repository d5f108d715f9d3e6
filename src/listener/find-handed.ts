import type { Activation, HandedDescriptor } from "../activation.ts";
import type { Endpoint, HandedSocket, HandedSource } from "../config/config.ts";
import { formatSource } from "../config/endpoint.ts";
import type { OutriggerError } from "../errors.ts";
import { refuse } from "./refuse.ts";
import { inspectDescriptor } from "./inspect-descriptor.ts";
import { NO_TABLES, readSocketTables, type SocketTables } from "./kernel-sockets.ts";

/** What came of a look for the sockets that we were handed. */
export interface HandedFinding {
  readonly endpoints: readonly Endpoint[];
  /** Descriptors that no endpoint names. */
  readonly unused: readonly HandedDescriptor[];
}

/**
 * Finds the sockets of those endpoints that we are handed. A name may stand for several, which are
 * endpoints of their own then: `app:1`, `app:2`. Call it before anything else is opened: a descriptor
 * of our own must not pass for one of theirs. Rejects with `ERR_LISTEN` when one cannot be served.
 */
export async function findHanded(
  endpoints: readonly Endpoint[],
  activation: Activation,
): Promise<HandedFinding> {
  const descriptors = activation.kind === "handed" ? activation.descriptors : [];
  const isAsked = endpoints.some(({ kind }) => kind === "handed");
  const tables = isAsked ? await readSocketTables() : NO_TABLES;
  const all: Endpoint[] = [];
  const takenBy = new Map<number, HandedSource>();
  for (const endpoint of endpoints) {
    if (endpoint.kind !== "handed") {
      all.push(endpoint);
      continue;
    }
    const wanted = chooseDescriptors(endpoint.source, activation);
    for (const descriptor of wanted) refuseTwice(descriptor, endpoint.source, takenBy);
    for (const [index, descriptor] of wanted.entries()) {
      const name = wanted.length === 1 ? endpoint.name : `${endpoint.name}:${index + 1}`;
      const found = await find(endpoint.source, descriptor, tables);
      all.push({ ...endpoint, name, found });
    }
  }
  refuseRepeatedNames(all);
  const unused = descriptors.filter(({ descriptor }) => !takenBy.has(descriptor));
  return { endpoints: all, unused };
}

function chooseDescriptors(source: HandedSource, activation: Activation): readonly number[] {
  if (source.by === "descriptor") return [source.descriptor];
  if (activation.kind === "none") {
    throw refuseSource(
      source,
      "no socket was handed to us (LISTEN_FDS is not set); start us through a socket unit",
    );
  }
  if (activation.kind === "refused") throw refuseSource(source, activation.reason);
  const { descriptors } = activation;
  const named = descriptors.filter(({ name }) => name === source.socketName);
  if (named.length > 0) return named.map(({ descriptor }) => descriptor);
  const names = new Set(descriptors.flatMap(({ name }) => (name === undefined ? [] : `"${name}"`)));
  throw refuseSource(
    source,
    names.size === 0
      ? "the sockets we were handed have no names (LISTEN_FDNAMES is not set); use fd:3 and so on"
      : `we were handed no socket of that name, but ${[...names].join(", ")}; FileDescriptorName= in the socket unit sets it`,
  );
}

function refuseTwice(
  descriptor: number,
  source: HandedSource,
  takenBy: Map<number, HandedSource>,
): void {
  const other = takenBy.get(descriptor);
  takenBy.set(descriptor, source);
  if (other === undefined) return;
  throw refuseSource(source, `descriptor ${descriptor} is ${formatSource(other)} already`);
}

async function find(
  source: HandedSource,
  descriptor: number,
  tables: SocketTables,
): Promise<HandedSocket> {
  const inspection = await inspectDescriptor(descriptor, tables);
  if (inspection.kind === "unusable") throw refuseSource(source, inspection.reason);
  return { descriptor, bound: inspection.bound };
}

/** Two sockets of one name are `app:1` and `app:2`, and another endpoint may be called so. */
function refuseRepeatedNames(endpoints: readonly Endpoint[]): void {
  const names = endpoints.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated === undefined) return;
  throw refuse(repeated, "two endpoints have this name: give one of them another with ?name=NAME");
}

function refuseSource(source: HandedSource, reason: string): OutriggerError {
  return refuse(formatSource(source), reason);
}
