import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Standing } from "../../src/snapshot.ts";
import type { Message } from "../../src/systemd/notify-queue.ts";
import { NotifiedManager } from "../../src/systemd/service-manager.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import { snapshotFixture, workerFixture } from "../helpers/snapshot.ts";

interface Bench {
  readonly manager: NotifiedManager;
  /** What was said since the last look. */
  readonly said: () => readonly Message[];
  readonly clock: FakeClock;
  standing: Standing;
}

function build(watchdogMs?: number): Bench {
  const clock = new FakeClock();
  let messages: Message[] = [];
  const queue = {
    send: (message: Message): void => void messages.push(message),
    flush: (): Promise<void> => Promise.resolve(),
  };
  const bench: Bench = {
    standing: snapshotFixture(),
    clock,
    said() {
      const said = messages;
      messages = [];
      return said;
    },
    manager: new NotifiedManager({
      queue,
      watchdogMs,
      gracePeriodMs: 30_000,
      standing: () => bench.standing,
      monotonicUsec: () => 42n,
      clock,
    }),
  };
  return bench;
}

const READY = "Ready, 2 of 2 workers ready, on /run/app.sock";

describe("NotifiedManager", () => {
  it("says when we are ready, and what there is", () => {
    const { manager, said } = build();
    manager.enter("ready");
    assert.deepEqual(said(), [{ READY: 1, STATUS: READY }]);
  });

  it("says that we stop, and how long that may take", () => {
    const bench = build();
    bench.manager.enter("ready");
    bench.said();
    bench.manager.stop();
    bench.standing = snapshotFixture({ phase: "draining" });
    bench.manager.enter("draining");
    assert.deepEqual(bench.said(), [
      { STOPPING: 1, EXTEND_TIMEOUT_USEC: 35_000_000, STATUS: "Draining, 2 workers left" },
    ]);
  });

  it("does not say that it stops when the drain is only announced", () => {
    const bench = build();
    bench.manager.enter("ready");
    bench.said();
    bench.standing = snapshotFixture({ phase: "draining" });
    bench.manager.enter("draining");
    assert.deepEqual(bench.said(), [{ STATUS: "Drain announced, 2 of 2 workers ready" }]);
  });

  it("says that it is up when the drain was announced during the start, as all is served", () => {
    const bench = build(10_000);
    bench.standing = snapshotFixture({ phase: "draining" });
    bench.manager.enter("draining");
    const status = "Drain announced, 2 of 2 workers ready";
    assert.deepEqual(bench.said(), [{ READY: 1, STATUS: status }, { WATCHDOG: 1 }]);
  });

  it("ends a reload also when a drain was announced", async () => {
    const bench = build();
    bench.manager.enter("ready");
    bench.standing = snapshotFixture({ phase: "draining" });
    bench.manager.enter("draining");
    bench.said();
    await bench.manager.whileReloading(() => Promise.resolve());
    assert.deepEqual(
      bench.said().map(({ READY, RELOADING }) => [READY, RELOADING]),
      [
        [undefined, 1],
        [1, undefined],
      ],
    );
  });

  it("says nothing of a start that is given up", () => {
    const { manager, said, clock } = build(10_000);
    manager.enter("stopped");
    clock.advance(60_000);
    assert.deepEqual(said(), []);
  });

  it("says that it reloads, on the clock of the kernel, until the last reload has ended", async () => {
    const { manager, said } = build();
    manager.enter("ready");
    said();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const reloads = [first, second].map(({ promise }) => manager.whileReloading(() => promise));
    const begun = {
      RELOADING: 1,
      MONOTONIC_USEC: 42n,
      STATUS: "Replacing workers, 2 of 2 workers ready",
    };
    assert.deepEqual(said(), [begun, begun]);
    first.resolve();
    await reloads[0];
    assert.deepEqual(said(), []);
    second.reject(new Error("the new one cannot start"));
    await assert.rejects(reloads[1] ?? Promise.resolve(), /cannot start/);
    assert.deepEqual(said(), [{ READY: 1, STATUS: READY }]);
  });

  it("does not say that we are ready when a stop came during a reload", async () => {
    const { manager, said } = build();
    manager.enter("ready");
    const { promise, resolve } = Promise.withResolvers<void>();
    const reload = manager.whileReloading(() => promise);
    manager.stop();
    manager.enter("draining");
    said();
    resolve();
    await reload;
    assert.deepEqual(said(), []);
  });

  it("gives a sign of life twice in the time it is given, once ready and until the end", async () => {
    const { manager, said, clock } = build(10_000);
    clock.advance(20_000);
    assert.deepEqual(said(), []);
    manager.enter("ready");
    assert.deepEqual(said().at(-1), { WATCHDOG: 1 });
    clock.advance(20_000);
    assert.deepEqual(said(), [{ WATCHDOG: 1 }, { WATCHDOG: 1 }, { WATCHDOG: 1 }, { WATCHDOG: 1 }]);
    manager.enter("draining");
    said();
    clock.advance(5_000);
    assert.deepEqual(said(), [{ WATCHDOG: 1 }]);
    manager.enter("stopped");
    await manager.close();
    clock.advance(60_000);
    assert.deepEqual(said(), []);
  });

  it("gives none while only a restart can help", () => {
    const bench = build(10_000);
    bench.manager.enter("ready");
    bench.said();
    bench.standing = snapshotFixture({ isStuck: true });
    bench.clock.advance(60_000);
    assert.deepEqual(bench.said(), []);
    bench.standing = snapshotFixture();
    bench.clock.advance(5_000);
    assert.deepEqual(bench.said(), [{ WATCHDOG: 1 }]);
  });

  it("tells what is wrong when that changes, within 5 s, and only then", () => {
    const bench = build();
    bench.manager.enter("ready");
    bench.said();
    bench.standing = snapshotFixture({ workers: [workerFixture({ state: "starting" })] });
    bench.clock.advance(15_000);
    assert.deepEqual(bench.said(), [
      {
        STATUS: "Not ready: 0 workers are ready, 1 needed; 0 workers have a healthy app, 1 needed",
      },
    ]);
    bench.standing = snapshotFixture();
    bench.clock.advance(5_000);
    assert.deepEqual(bench.said(), [{ STATUS: READY }]);
  });
});
