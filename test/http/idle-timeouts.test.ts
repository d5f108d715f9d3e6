import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { IdleTimeouts } from "../../src/http/idle-timeouts.ts";
import { within } from "../helpers/deadline.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";

const DEADLINE_MS = 5_000;
const TIMEOUT_MS = 200;
const ARM_AFTER_MS = 20;
/** Timers may be early by what is cut off of a millisecond. */
const ROUNDING_MS = 2;

interface World {
  readonly socket: Socket;
  /** What node:http does when a response ends. */
  readonly answer: () => void;
}

function createWorld(scope: Scope, timeoutMs = TIMEOUT_MS): World {
  const idleTimeouts = new IdleTimeouts(timeoutMs, ARM_AFTER_MS);
  const socket = new Socket();
  // Idle timers keep no process alive.
  const alive = setInterval(() => {}, DEADLINE_MS);
  onEnd(scope, () => {
    clearInterval(alive);
    idleTimeouts.stop();
    socket.destroy();
  });
  idleTimeouts.watch(socket);
  return {
    socket,
    answer: () => {
      idleTimeouts.answered(socket, performance.now());
      socket.setTimeout(timeoutMs);
    },
  };
}

it("leaves alone what only looks like a connection", () => {
  const idleTimeouts = new IdleTimeouts(TIMEOUT_MS, ARM_AFTER_MS);
  const stream = Object.assign(new Duplex(), { setTimeout: () => {} });
  const { setTimeout: own } = stream;
  idleTimeouts.watch(stream as unknown as Socket);
  idleTimeouts.stop();
  assert.equal(stream.setTimeout, own);
});

function isTimed({ timeout }: Socket): boolean {
  return timeout !== undefined && timeout > 0;
}

async function elapsedUntilTimeout(socket: Socket): Promise<number> {
  const startedAt = performance.now();
  await within(DEADLINE_MS, once(socket, "timeout"), "the timeout");
  return performance.now() - startedAt;
}

describe("IdleTimeouts", () => {
  it("set no timer when a response ends, and time out all the same", async (t) => {
    const { socket, answer } = createWorld(t);
    answer();
    assert.ok(!isTimed(socket));
    const elapsedMs = await elapsedUntilTimeout(socket);
    assert.ok(elapsedMs >= TIMEOUT_MS - ROUNDING_MS, `timed out after ${elapsedMs} ms`);
  });

  it("count from the last response", async (t) => {
    const { socket, answer } = createWorld(t);
    answer();
    await delay(TIMEOUT_MS / 2);
    socket.setTimeout(0);
    answer();
    const elapsedMs = await elapsedUntilTimeout(socket);
    assert.ok(elapsedMs >= TIMEOUT_MS - ROUNDING_MS, `timed out after ${elapsedMs} ms`);
  });

  it("end with the next request", async (t) => {
    const [busy, idle] = [createWorld(t), createWorld(t)];
    busy.answer();
    busy.socket.setTimeout(0);
    const fired: string[] = [];
    busy.socket.once("timeout", () => fired.push("busy"));
    idle.answer();
    await elapsedUntilTimeout(idle.socket);
    assert.deepEqual(fired, []);
  });

  it("take the place of a timeout that the app has set", (t) => {
    const { socket, answer } = createWorld(t);
    socket.setTimeout(50);
    assert.equal(socket.timeout, 50);
    answer();
    assert.ok(!isTimed(socket));
  });

  it("leave the app's own timeouts as they are", (t) => {
    const { socket, answer } = createWorld(t);
    answer();
    socket.setTimeout(50, () => {});
    assert.equal(socket.timeout, 50);
    // Of the very same length, but without a response.
    const other = createWorld(t).socket;
    other.setTimeout(TIMEOUT_MS);
    assert.equal(other.timeout, TIMEOUT_MS);
  });

  it("are left to node:http when they are short", (t) => {
    const { socket, answer } = createWorld(t, 4 * ARM_AFTER_MS);
    answer();
    assert.equal(socket.timeout, 4 * ARM_AFTER_MS);
  });
});
