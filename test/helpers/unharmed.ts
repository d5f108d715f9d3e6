import assert from "node:assert/strict";
import { eventually } from "./deadline.ts";
import type { EveryEndpoint, Memory } from "./every-endpoint.ts";
import { request } from "./http.ts";
import { openDescriptors } from "./kernel.ts";
import type { Metrics } from "./metrics.ts";
import { talk, type Way } from "./talk.ts";

const DEADLINE_MS = 20_000;
const REJECTED = "outrigger_endpoint_connections_rejected_total";
const HEALTHY = Buffer.from("GET /healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

/** What one endpoint has counted. */
export interface Tally {
  readonly accepted: number;
  readonly closed: number;
  readonly open: number;
  readonly inFlight: number;
  /** Requests that the app was given and that have ended. */
  readonly requests: number;
  /** By reason; those that never happened are left out. */
  readonly rejected: Readonly<Record<string, number>>;
}

export function tallyOf(metrics: Metrics, endpoint: string): Tally {
  const sum = (name: string): number => metrics.sum(name, { endpoint });
  const rejected = metrics.samples
    .filter(({ name, labels }) => name === REJECTED && labels["endpoint"] === endpoint)
    .filter(({ value }) => value > 0)
    .map(({ labels, value }) => [labels["reason"] ?? "", value] as const);
  return {
    accepted: sum("outrigger_endpoint_connections_accepted_total"),
    closed: sum("outrigger_endpoint_connections_closed_total"),
    open: sum("outrigger_endpoint_connections"),
    inFlight: sum("outrigger_endpoint_requests_in_flight"),
    requests: sum("http_server_request_duration_seconds_count"),
    rejected: Object.fromEntries(rejected),
  };
}

/** Resolves once no connection is open and no request in flight; everything that was accepted is closed then. */
export async function settled(served: EveryEndpoint): Promise<Metrics> {
  let busy: readonly object[] = [];
  const look = async (): Promise<Metrics | undefined> => {
    const metrics = await served.metrics();
    const isIdle = ({ accepted, closed, open, inFlight }: Tally): boolean =>
      accepted === closed && open === 0 && inFlight === 0;
    busy = served.ways
      .map(({ name }) => ({ name, ...tallyOf(metrics, name) }))
      .filter((tally) => !isIdle(tally));
    return busy.length === 0 ? metrics : undefined;
  };
  return await eventually(DEADLINE_MS, look, "connections").catch((cause: unknown) => {
    const what = `connections to be closed and counted: ${JSON.stringify(busy)}`;
    throw new Error(`Waited in vain for ${what}`, { cause });
  });
}

/** Fails unless a healthy request is answered. */
export async function assertServed(way: Way): Promise<void> {
  const plain = way.alpn === undefined ? way : { ...way, alpn: "http/1.1" };
  const { received } = await talk(plain, { pieces: [HEALTHY] });
  assert.match(received.toString("latin1"), /^HTTP\/1\.1 200 [^]*GET 0/, way.name);
}

/** Fails unless every endpoint answers, from the same processes, and nothing was logged that must not be. */
export async function assertUnharmed(served: EveryEndpoint): Promise<void> {
  for (const way of served.ways) await assertServed(way);
  const { status } = await request({ port: served.opsPort, path: "/readyz" });
  assert.equal(status, 200);
  assert.deepEqual(served.program.workerPids(), [served.worker]);
  const loud = served.program.lines.filter(({ level }) => Number(level) >= 40);
  assert.deepEqual(loud, []);
}

/** Resolves once what the worker holds has not grown by more than that; rejects when it stays so. */
export async function memoryBack(
  served: EveryEndpoint,
  before: Memory,
  mostBytes: number,
): Promise<void> {
  let now = before;
  const look = async (): Promise<true | undefined> => {
    now = await served.memory();
    const isSame = lastingOf(now).join() === lastingOf(before).join();
    return (isSame && now.bytes <= before.bytes + mostBytes) || undefined;
  };
  await eventually(DEADLINE_MS, look, "memory").catch((cause: unknown) => {
    const what = `${now.bytes - before.bytes} bytes, ${now.resources.join()} to go back to ${before.resources.join()}`;
    throw new Error(`Waited in vain for ${what}`, { cause });
  });
}

const ROUNDS = 3;
/** What a connection may leave behind; one that is kept is several kilobytes. */
const LEFT_BYTES = 500;

/** Repeats a round of so many connections; resolves once the worker holds no more than after the first. */
export async function leavesNothing(
  served: EveryEndpoint,
  connections: number,
  round: () => Promise<void>,
): Promise<void> {
  await round();
  await settled(served);
  const before = await served.memory();
  for (let rounds = 0; rounds < ROUNDS; rounds += 1) {
    await round();
    await settled(served);
  }
  await memoryBack(served, before, ROUNDS * connections * LEFT_BYTES);
}

/** What keeps a process running for more than a turn of its loop. */
function lastingOf({ resources }: Memory): readonly string[] {
  return resources.filter((resource) => resource !== "Immediate").toSorted();
}

/** Open descriptors of supervisor and worker. */
export interface Descriptors {
  readonly supervisor: number;
  readonly worker: number;
}

export async function countDescriptors({ program, worker }: EveryEndpoint): Promise<Descriptors> {
  return {
    supervisor: (await openDescriptors(program.pid)).length,
    worker: (await openDescriptors(worker)).length,
  };
}

/** Resolves once no more descriptors are open than there were. */
export async function descriptorsBack(served: EveryEndpoint, before: Descriptors): Promise<void> {
  let now = before;
  const look = async (): Promise<true | undefined> => {
    now = await countDescriptors(served);
    return (now.supervisor <= before.supervisor && now.worker <= before.worker) || undefined;
  };
  const what = (): string => `${JSON.stringify(now)} to go back to ${JSON.stringify(before)}`;
  await eventually(DEADLINE_MS, look, "descriptors").catch((cause: unknown) => {
    throw new Error(`Waited in vain for ${what()}`, { cause });
  });
}
