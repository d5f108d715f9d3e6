import { setImmediate as nextTurn } from "node:timers/promises";
import { Deadline, settledBefore } from "../lifecycle/deadline.ts";
import type { EndpointServer } from "./endpoint-server.ts";

/** How long connections may take to learn from an answer that we close. */
const LAME_DUCK_MS = 500;

/**
 * Lets the connections of servers come to their end that accept no more: those that are idle are
 * closed after a while, and what is left at the deadline is cut. Resolves to how many were cut.
 */
export async function finishConnections(
  servers: readonly EndpointServer[],
  deadline: Deadline,
): Promise<number> {
  for (const { upgrades } of servers) upgrades.closeWebSockets();
  const drained = Promise.all(servers.map(({ connections }) => connections.drained()));
  await waitForGoodbyes(drained, deadline);
  for (const server of servers) {
    server.closeIdleConnections();
    server.connections.destroySilent();
  }
  await settledBefore(drained, deadline.signal);
  const cut = servers.map(({ connections }) => connections.destroyAll());
  await drained;
  return cut.reduce((total, count) => total + count, 0);
}

/**
 * Whoever closes an idle connection may cut a request that is on its way. A pooled connection that
 * carries a request in this time closes by its answer; those left are hardly used.
 */
async function waitForGoodbyes(drained: Promise<unknown>, deadline: Deadline): Promise<void> {
  const lameDuck = new Deadline(LAME_DUCK_MS);
  await settledBefore(drained, AbortSignal.any([lameDuck.signal, deadline.signal]));
  lameDuck.clear();
  // Timers come before I/O: requests that came in the meantime may wait unread on connections that look idle.
  await nextTurn();
}
