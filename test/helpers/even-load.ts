import assert from "node:assert/strict";
import type { NetConnectOpts } from "node:net";
import { eventually, within } from "./deadline.ts";
import { RawClient } from "./raw-client.ts";
import type { Scope } from "./scope.ts";
import type { Serving } from "./serving.ts";

const DEADLINE_MS = 15_000;
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** Opens connections at once, each of which has had an answer and is kept alive. */
export async function openKeptAlive(
  scope: Scope,
  target: NetConnectOpts,
  count: number,
): Promise<RawClient[]> {
  const open = async (): Promise<RawClient> => {
    const client = await RawClient.open(scope, target);
    await client.send(GET).until(/\r\n\r\nhello\n$/);
    return client;
  };
  return await within(
    DEADLINE_MS,
    Promise.all(Array.from({ length: count }, open)),
    `${count} connections`,
  );
}

/** Connections of every worker, by slot, once they are `total` in all. */
export async function connectionsOf(
  service: Pick<Serving, "metrics">,
  total: number,
): Promise<ReadonlyMap<string, number>> {
  return await eventually(
    DEADLINE_MS,
    async () => {
      const { samples } = await service.metrics();
      const counts = new Map(
        samples
          .filter(({ name }) => name === "outrigger_worker_connections")
          .map(({ labels, value }) => [labels["worker"] ?? "", value]),
      );
      const sum = [...counts.values()].reduce((all, each) => all + each, 0);
      return sum === total ? counts : undefined;
    },
    `${total} connections in all`,
  );
}

/** How much more than its fair share the most loaded worker has: 1 is even. */
export function unevenness(counts: ReadonlyMap<string, number>): number {
  const values = [...counts.values()];
  assert.ok(values.length > 0);
  return (Math.max(...values) * values.length) / values.reduce((all, each) => all + each, 0);
}
