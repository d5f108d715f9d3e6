import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, it } from "node:test";
import { Upgrades } from "../../src/http/upgrades.ts";

const ACCEPTED =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
const OTHER = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n";

/** A connection that an app takes over, and what is told of it. */
function follow(upgrades?: Upgrades): {
  readonly socket: PassThrough;
  readonly told: string[];
  readonly upgrades: Upgrades;
} {
  const told: string[] = [];
  const name = (isWebSocket: boolean): string => (isWebSocket ? "WebSocket" : "other");
  const following =
    upgrades ??
    new Upgrades(
      {
        asked: () => told.push("asked"),
        refused: ({ status }) => told.push(`refused ${status}`),
        switched: ({ exchange, isWebSocket }) =>
          told.push(`switched ${exchange.status} ${name(isWebSocket)}`),
        ended: ({ exchange, isWebSocket }) =>
          told.push(`ended ${exchange.status} ${name(isWebSocket)}`),
      },
      1012,
    );
  const socket = new PassThrough();
  following.follow(new IncomingMessage(new Socket()), socket);
  return { socket, told, upgrades: following };
}

async function destroy(socket: PassThrough): Promise<void> {
  socket.destroy();
  await nextTurn();
}

describe("Upgrades", () => {
  it("knows a WebSocket by its handshake, as a text or as bytes", async () => {
    for (const head of [ACCEPTED, Buffer.from(ACCEPTED)]) {
      const { socket, told } = follow();
      socket.write(head);
      socket.write("HTTP/1.1 500 is data now");
      await destroy(socket);
      assert.deepEqual(told, ["asked", "switched 101 WebSocket", "ended 101 WebSocket"]);
    }
  });

  it("tells other protocols from WebSockets", async () => {
    const { socket, told } = follow();
    socket.write(OTHER);
    await destroy(socket);
    assert.deepEqual(told, ["asked", "switched 101 other", "ended 101 other"]);
  });

  it("takes any other status for an ordinary answer", async () => {
    const { socket, told } = follow();
    socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    await destroy(socket);
    assert.deepEqual(told, ["asked", "refused 401"]);
  });

  it("takes no answer at all for a client that has left", async () => {
    const { socket, told } = follow();
    await destroy(socket);
    assert.deepEqual(told, ["asked", "refused 499"]);
  });

  it("stands between the app and its connection for one write only", () => {
    const { socket } = follow();
    assert.ok(Object.hasOwn(socket, "write"));
    socket.write(OTHER);
    assert.deepEqual(
      [Object.hasOwn(socket, "write"), Object.hasOwn(socket, "end")],
      [false, false],
    );
  });

  it("leaves alone what somebody else put over the methods of the connection", () => {
    const { socket } = follow();
    const ours = socket.write.bind(socket);
    const theirs = (chunk: unknown): boolean => ours(chunk);
    socket.write = theirs;
    socket.write(OTHER);
    assert.equal(Reflect.get(socket, "write"), theirs);
    assert.equal(String(socket.read()), OTHER);
  });

  it("closes WebSockets of the package ws, those that come later too", async () => {
    const codes: number[] = [];
    const mark = (socket: PassThrough): void => {
      Object.assign(socket, {
        [Symbol("websocket")]: { close: (code: number) => codes.push(code) },
      });
    };
    const { socket, upgrades } = follow();
    socket.write(ACCEPTED);
    mark(socket);
    const unmarked = follow(upgrades);
    unmarked.socket.write(ACCEPTED);
    upgrades.closeWebSockets();
    assert.deepEqual(codes, [1012]);
    const late = follow(upgrades);
    late.socket.write(ACCEPTED);
    mark(late.socket);
    await nextTurn();
    assert.deepEqual(codes, [1012, 1012]);
    for (const each of [socket, unmarked.socket, late.socket]) await destroy(each);
  });
});
