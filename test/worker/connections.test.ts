import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CLOSE_REASONS, EndpointCounters, type CloseReason } from "../../src/counters.ts";
import { Connections, SILENT_MS } from "../../src/worker/connections.ts";
import { within } from "../helpers/deadline.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 5_000;

interface Pair {
  readonly client: Socket;
  /** Our side, already added. */
  readonly socket: Socket;
  /** Our side has closed, and that was heard. */
  readonly gone: () => Promise<void>;
}

interface World {
  readonly counters: EndpointCounters;
  readonly connections: Connections;
  readonly open: () => Promise<Pair>;
}

async function createWorld(scope: Scope): Promise<World> {
  const path = join(await tempDir(scope), "s");
  const counters = new EndpointCounters();
  const connections = new Connections(counters);
  const server = createServer({ allowHalfOpen: true }).listen(path);
  await once(server, "listening");
  onEnd(scope, () => {
    connections.destroyAll();
    server.close();
  });
  return {
    counters,
    connections,
    async open() {
      const accepted = once(server, "connection");
      const client = connect(path);
      onEnd(scope, () => client.destroy());
      client.on("error", () => {});
      const [socket] = (await accepted) as [Socket];
      socket.on("error", () => {});
      connections.add(socket);
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      return { client, socket, gone: () => within(DEADLINE_MS, closed, "the close") };
    },
  };
}

function closedReasons(counters: EndpointCounters): Partial<Record<CloseReason, number>> {
  const all = CLOSE_REASONS.map((reason) => [reason, counters.closed(reason)] as const);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

describe("Connections", () => {
  it("counts a connection from its coming to its going", async (t) => {
    const { connections, counters, open } = await createWorld(t);
    const { client, socket, gone } = await open();
    const other = await open();
    assert.deepEqual([connections.count, counters.accepted, counters.open], [2, 0, 2]);
    connections.recognize(socket);
    connections.recognize(socket);
    assert.deepEqual([connections.count, counters.accepted, counters.open], [2, 1, 2]);
    client.destroy();
    socket.resume().once("end", () => socket.end());
    await gone();
    assert.deepEqual([connections.count, counters.accepted, counters.open], [1, 1, 1]);
    other.socket.destroy();
    await other.gone();
    assert.deepEqual([connections.count, counters.accepted, counters.open], [0, 2, 0]);
  });

  it("counts one that says nothing as accepted once it is too late for a check", async (t) => {
    const now = t.mock.method(performance, "now", () => 1_000);
    const { connections, counters, open } = await createWorld(t);
    const { socket } = await open();
    now.mock.mockImplementation(() => 1_000 + SILENT_MS - 1);
    const late = await open();
    connections.recognizeSilent();
    assert.equal(counters.accepted, 0);
    now.mock.mockImplementation(() => 1_000 + SILENT_MS);
    connections.recognizeSilent();
    assert.equal(counters.accepted, 1);
    // Even if it was our check after all: what was told must not be taken back.
    connections.disown(socket);
    connections.disown(late.socket);
    assert.deepEqual([connections.count, counters.accepted, counters.open], [1, 1, 1]);
  });

  const endings: Record<CloseReason, ((pair: Pair, world: World) => void) | undefined> = {
    client({ client, socket }) {
      socket.resume().once("end", () => socket.end());
      client.end();
    },
    server: ({ socket }) => void socket.destroy(),
    idle_timeout: ({ socket }) => void socket.setTimeout(1, () => socket.destroy()),
    error: ({ socket }) => void socket.destroy(new Error("reset")),
    forced: (_pair, { connections }) => void connections.destroyAll(),
    // Only a supervisor can know that one.
    rebalanced({ socket }, { connections }) {
      connections.attribute(socket, "rebalanced");
      socket.end();
      socket.resume();
    },
    tls_handshake({ socket }, { connections }) {
      connections.attribute(socket, "tls_handshake");
      socket.destroy();
    },
    worker_lost: undefined,
  };
  for (const [reason, end] of Object.entries(endings)) {
    if (end === undefined) continue;
    it(`counts the end of a connection as ${reason}`, async (t) => {
      const world = await createWorld(t);
      const pair = await world.open();
      end(pair, world);
      await pair.gone();
      assert.deepEqual(closedReasons(world.counters), { [reason]: 1 });
    });
  }

  it("forgets a connection that was disowned, as if it had never come", async (t) => {
    const { connections, counters, open } = await createWorld(t);
    const { socket, gone } = await open();
    assert.deepEqual([connections.count, counters.accepted, counters.open], [1, 0, 1]);
    connections.disown(socket);
    assert.deepEqual([connections.count, counters.accepted, counters.open], [0, 0, 0]);
    connections.disown(socket);
    socket.destroy();
    await gone();
    assert.deepEqual([counters.accepted, counters.open, closedReasons(counters)], [0, 0, {}]);
  });

  it("is drained at once when nothing is open", async (t) => {
    const { connections } = await createWorld(t);
    await within(DEADLINE_MS, connections.drained(), "drained()");
  });

  it("is drained when the last connection has closed", async (t) => {
    const { connections, open } = await createWorld(t);
    const pairs = [await open(), await open()];
    let isDrained = false;
    const drained = connections.drained().then(() => (isDrained = true));
    for (const { socket, gone } of pairs) {
      assert.equal(isDrained, false);
      socket.destroy();
      await gone();
    }
    await within(DEADLINE_MS, drained, "drained()");
    assert.equal(connections.count, 0);
  });

  it("is drained when what is left is disowned", async (t) => {
    const { connections, open } = await createWorld(t);
    const { socket } = await open();
    const drained = connections.drained();
    connections.disown(socket);
    await within(DEADLINE_MS, drained, "drained()");
    socket.destroy();
  });

  it("cuts all that is left and tells how many", async (t) => {
    const { connections, counters, open } = await createWorld(t);
    const pairs = [await open(), await open(), await open()];
    assert.equal(connections.destroyAll(), 3);
    await Promise.all(pairs.map(({ gone }) => gone()));
    assert.deepEqual(closedReasons(counters), { forced: 3 });
    assert.equal(connections.destroyAll(), 0);
  });

  it("ends only the connections that never sent a byte", async (t) => {
    const { connections, open } = await createWorld(t);
    const silent = await open();
    const speaking = await open();
    const heard = once(speaking.socket, "data");
    speaking.client.write("x");
    await within(DEADLINE_MS, heard, "the byte");
    connections.destroySilent();
    await silent.gone();
    assert.equal(connections.count, 1);
    assert.equal(speaking.socket.destroyed, false);
  });
});
