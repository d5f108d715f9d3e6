import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { Server } from "node:net";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { readListenCall } from "../../src/app/listen-call.ts";
import { StandIn } from "../../src/app/stand-in.ts";
import { within } from "../helpers/deadline.ts";
import { onEnd } from "../helpers/scope.ts";

interface Pretence {
  readonly standIn: StandIn;
  /** What happened, in order. */
  readonly events: string[];
}

const OURS = { host: "10.0.0.1", port: 8000 };

function pretend(server: Server, args: unknown[], own: object = OURS): Pretence {
  const events: string[] = [];
  const call = readListenCall([...args, () => events.push("callback")]);
  assert.ok(call);
  for (const event of ["listening", "close"]) server.on(event, () => events.push(event));
  const ownAddress = own as typeof OURS;
  const standIn = new StandIn(server, { call, ownAddress, onClose: () => events.push("onClose") });
  return { standIn, events };
}

const KINDS: Record<string, () => Server> = {
  http: () => http.createServer(),
  https: () => https.createServer(),
  http2: () => http2.createServer(),
  "secure http2": () => http2.createSecureServer({}),
};

describe("a server that has a stand-in for its listener", () => {
  for (const [kind, create] of Object.entries(KINDS)) {
    it(`listens, closes and waits for its connections as a real one does: ${kind}`, async () => {
      const server = create();
      const { standIn, events } = pretend(server, [3000]);
      assert.deepEqual([server.listening, events], [true, []]);
      await nextTurn();
      assert.deepEqual(events, ["listening", "callback"]);
      assert.deepEqual(server.address(), { address: "::", family: "IPv6", port: 3000 });
      assert.throws(() => server.listen(4000), { code: "ERR_SERVER_ALREADY_LISTEN" });
      server.unref().ref();
      server.close((error) => events.push(`closed ${String(error)}`));
      assert.deepEqual([server.listening, server.address()], [false, null]);
      await nextTurn();
      assert.deepEqual(events.slice(2), ["onClose"], "a connection of ours may be open");
      standIn.release();
      standIn.release();
      await nextTurn();
      assert.deepEqual(events.slice(3), ["close", "closed undefined"]);
      server.close((error) => events.push(String(error)));
      await nextTurn();
      assert.match(events.at(-1) ?? "", /ERR_SERVER_NOT_RUNNING/);
    });
  }

  for (const isTold of [true, false]) {
    it(`makes way for a real listener, which ${isTold ? "nobody is told of twice" : "all are told of"}`, async (t) => {
      const server = http.createServer((_, res) => void res.end("real"));
      const { standIn, events } = pretend(server, [3000]);
      if (isTold) await nextTurn();
      standIn.giveWay(() => void server.listen(0));
      onEnd(t, () => server.close());
      const address = server.address();
      assert.ok(typeof address === "object" && address !== null);
      assert.notEqual(address.port, 3000);
      const response = await fetch(`http://127.0.0.1:${address.port}`);
      assert.equal(await response.text(), "real");
      assert.deepEqual(events, ["listening", "callback"]);
      server.closeAllConnections();
      await within(5_000, once(server.close(), "close"), "the server to close");
      assert.deepEqual(events.slice(2), ["close"], "nobody else hears of it");
      assert.equal(Object.hasOwn(server, "emit"), false);
    });
  }

  it("closes at once when our connections are gone already", async () => {
    const server = http.createServer();
    const { standIn } = pretend(server, [3000]);
    standIn.release();
    assert.equal(server.listening, true);
    const closed = once(server, "close");
    server.close();
    await within(5_000, closed, "the close");
  });

  it("closes when the signal it was given aborts", async () => {
    const controller = new AbortController();
    const { events } = pretend(http.createServer(), [{ port: 1, signal: controller.signal }]);
    controller.abort();
    await nextTurn();
    assert.deepEqual(events, ["onClose"], "and was never listening");
  });

  const ipv4 = { address: "10.0.0.1", family: "IPv4", port: 8000 };
  const addresses: Record<string, readonly [args: unknown[], own: object, address: unknown]> = {
    "a port and an address": [[1, "::1"], OURS, { address: "::1", family: "IPv6", port: 1 }],
    "a port and a name": [
      [1, "localhost"],
      OURS,
      { address: "127.0.0.1", family: "IPv4", port: 1 },
    ],
    "a path": [["/run/own"], OURS, "/run/own"],
    "any port, of our endpoint": [[0], OURS, ipv4],
    "a descriptor, of our endpoint": [[{ fd: 3 }], OURS, ipv4],
    "any port, of our Unix socket": [[0], { path: "/run/s" }, "/run/s"],
  };
  for (const [what, [args, own, address]] of Object.entries(addresses)) {
    it(`tells the address it was asked for: ${what}`, () => {
      const server = http.createServer();
      pretend(server, args, own);
      assert.deepEqual(server.address(), address);
    });
  }
});
