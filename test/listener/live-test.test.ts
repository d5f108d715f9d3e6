import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { testLiveness } from "../../src/listener/live-test.ts";
import { within } from "../helpers/deadline.ts";
import { needsPerl } from "../helpers/needs.ts";
import {
  leaveStaleSocket,
  listenForeign,
  startDatagramOwner,
  startFullQueue,
} from "../helpers/other-owners.ts";
import { tempDir } from "../helpers/temp-dir.ts";

describe("testLiveness", () => {
  it("finds nothing where nothing is", async (t) => {
    assert.deepEqual(await testLiveness(join(await tempDir(t), "app.sock")), { state: "gone" });
  });

  it("finds a socket dead whose owner was killed", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await leaveStaleSocket(t, path);
    assert.deepEqual(await testLiveness(path), { state: "dead" });
  });

  it("finds a listener alive", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await listenForeign(t, path);
    assert.deepEqual(await testLiveness(path), {
      state: "alive",
      evidence: "a live process that accepts connections",
    });
  });

  it("hangs up at once", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const server = await listenForeign(t, path);
    const { promise, resolve } = Promise.withResolvers<void>();
    server.once("connection", (socket) => socket.once("close", () => resolve()));
    await testLiveness(path);
    await within(5_000, promise, "the connection of the test to close");
  });

  it("finds a listener alive whose accept queue is full", { timeout: 30_000 }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await startFullQueue(t, path);
    assert.deepEqual(await testLiveness(path), {
      state: "alive",
      evidence: "a live process whose accept queue is full",
    });
  });

  it("finds a datagram socket alive", { timeout: 30_000, ...needsPerl() }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await startDatagramOwner(t, path);
    assert.deepEqual(await testLiveness(path), {
      state: "alive",
      evidence: "a process that uses it as a datagram socket",
    });
  });
});
