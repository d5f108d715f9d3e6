import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Heartbeat } from "../../src/app/heartbeat.ts";

const INTERVAL_MS = 1_000;

class FakeWebSocket extends EventEmitter {
  readonly readyState = 1;
  isPaused = false;
  pings = 0;
  isCut = false;
  readonly connection = { bytesRead: 100 };

  ping(): void {
    this.pings += 1;
  }

  terminate(): void {
    this.isCut = true;
    this.emit("close");
  }
}

async function beat(t: TestContext): Promise<void> {
  t.mock.timers.tick(INTERVAL_MS);
  await nextTurn();
  await nextTurn();
}

function start(t: TestContext, intervalMs = INTERVAL_MS): FakeWebSocket {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const webSocket = new FakeWebSocket();
  new Heartbeat(intervalMs).add(webSocket, webSocket.connection);
  return webSocket;
}

describe("Heartbeat", () => {
  it("pings as long as something comes in between, whatever that is", async (t) => {
    const webSocket = start(t);
    for (let beats = 1; beats <= 3; beats += 1) {
      await beat(t);
      assert.deepEqual([webSocket.pings, webSocket.isCut], [beats, false]);
      webSocket.connection.bytesRead += 6;
    }
  });

  it("cuts what is silent from one ping to the next, and pings it no more", async (t) => {
    const webSocket = start(t);
    await beat(t);
    assert.equal(webSocket.isCut, false);
    await beat(t);
    assert.equal(webSocket.isCut, true);
    await beat(t);
    assert.equal(webSocket.pings, 1);
  });

  it("does not take a WebSocket for dead that the app does not read", async (t) => {
    const webSocket = start(t);
    webSocket.isPaused = true;
    for (let beats = 0; beats < 3; beats += 1) await beat(t);
    assert.deepEqual([webSocket.pings, webSocket.isCut], [3, false]);
  });

  it("never pings with an interval of 0", async (t) => {
    const webSocket = start(t, 0);
    await beat(t);
    assert.equal(webSocket.pings, 0);
  });
});
