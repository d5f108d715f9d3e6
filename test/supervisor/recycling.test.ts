import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { ServingSet, startOf } from "../helpers/serving-set.ts";

const RECYCLED = startOf({ recycle: { maxRequests: 2, maxLifetimeMs: 0, maxRssBytes: 0 } });

describe("recycling", () => {
  it("replaces a worker that has served long enough, its successor first", async () => {
    const setup = await ServingSet.start(2, RECYCLED);
    const { set } = setup;
    setup.answered(1, 1);
    await settle();
    assert.equal(setup.workers.length, 2);
    setup.answered(1, 2);
    await settle();
    assert.deepEqual(setup.living.slice(1), [[1, 101, "ready"], [1, 102, "starting"]]); // prettier-ignore
    await setup.lastIsReady();
    assert.deepEqual(setup.worker(1).heard, ["start", "drain"]);
    assert.equal(set.restarts.max_requests, 1);
  });

  it("happens once, however often the worker reports meanwhile", async () => {
    const setup = await ServingSet.start(1, RECYCLED);
    for (let reports = 0; reports < 5; reports += 1) setup.answered(0, 2 + reports);
    await settle();
    await setup.lastIsReady();
    setup.answered(0, 9);
    await settle();
    assert.equal(setup.workers.length, 2);
  });

  it("takes workers in turn, so that no more than one is on top", async () => {
    const setup = await ServingSet.start(3, RECYCLED);
    for (const index of [0, 1, 2]) setup.answered(index, 2);
    for (const spawned of [4, 5, 6]) {
      await settle();
      assert.equal(setup.workers.length, spawned);
      await setup.lastIsReady();
    }
    assert.equal(setup.set.restarts.max_requests, 3);
  });

  it("leaves the worker serving when its successor cannot start, and tries again later", async () => {
    const setup = await ServingSet.start(1, RECYCLED);
    const { clock, workers, set } = setup;
    setup.answered(0, 2);
    await settle();
    setup.worker(1).exit({ code: 3 });
    await settle();
    for (let second = 0; second < 29; second += 1) {
      clock.advance(1_000);
      setup.answered(0, 3);
      await settle();
    }
    assert.equal(workers.length, 2);
    assert.deepEqual(setup.living, [[0, 100, "ready"]]);
    clock.advance(1_000);
    setup.answered(0, 3);
    await settle();
    await setup.lastIsReady();
    assert.equal(set.restarts.max_requests, 1);
  });

  it("is not tried again once all drain", async () => {
    const setup = await ServingSet.start(1, RECYCLED);
    const { clock, set } = setup;
    setup.answered(0, 2);
    await settle();
    setup.worker(1).exit({ code: 3 });
    await settle();
    assert.equal(clock.pending, 1);
    const drained = set.drain(clock.now() + 1_000);
    setup.worker(0).exit();
    await drained;
    assert.equal(clock.pending, 0, "a timer would keep the process");
  });

  it("leaves a worker alone that crashed and was replaced before its turn came", async () => {
    const setup = await ServingSet.start(2, RECYCLED);
    setup.answered(0, 2);
    setup.answered(1, 2);
    await settle();
    setup.worker(1).exit({ code: 1 });
    setup.clock.advance(0);
    setup.worker(3).ready();
    setup.worker(2).ready();
    await settle();
    assert.equal(setup.workers.length, 4);
    assert.deepEqual(setup.worker(3).heard, ["start"]);
  });

  it("starts nobody in a slot that was taken away meanwhile", async () => {
    const setup = await ServingSet.start(2, RECYCLED);
    setup.answered(0, 2);
    await settle();
    const shrunk = setup.set.shrink();
    setup.answered(1, 2);
    await settle();
    await setup.lastIsReady();
    await shrunk;
    await settle();
    assert.equal(setup.workers.length, 3);
    for (const index of [0, 1]) setup.worker(index).exit();
    assert.deepEqual(setup.living, [[0, 102, "ready"]]);
  });

  it("starts nobody once all drain", async () => {
    const setup = await ServingSet.start(2, RECYCLED);
    const { set, clock, workers } = setup;
    setup.answered(0, 2);
    setup.answered(1, 2);
    await settle();
    void set.drain(clock.now() + 1_000);
    for (const worker of workers) worker.exit();
    await settle();
    clock.advance(120_000);
    assert.equal(workers.length, 3);
    assert.equal(clock.pending, 0);
  });
});
