import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { NEXT, ServingSet } from "../helpers/serving-set.ts";

describe("growing", () => {
  it("adds a worker in a slot of its own", async () => {
    const setup = await ServingSet.start(1);
    const done = setup.set.grow();
    await settle();
    await setup.lastIsReady();
    await done;
    assert.deepEqual(setup.living, [[0, 100, "ready"], [1, 101, "ready"]]); // prettier-ignore
    assert.equal(setup.set.size, 2);
  });

  it("leaves all as it was when that cannot start", async () => {
    const setup = await ServingSet.start(1);
    const { set, workers, clock } = setup;
    const done = set.grow();
    await settle();
    setup.worker(1).fail("no memory");
    setup.worker(1).exit({ code: 3 });
    await assert.rejects(done, /no memory/);
    clock.advance(120_000);
    assert.equal(workers.length, 2);
    assert.deepEqual([set.size, setup.living], [1, [[0, 100, "ready"]]]);
    assert.equal(set.restarts.start_failed, 0, "nobody was replaced");
  });

  it("replaces the new worker like any other", async () => {
    const setup = await ServingSet.start(1);
    const done = setup.set.grow();
    await settle();
    await setup.lastIsReady();
    await done;
    setup.worker(1).exit({ code: 1 });
    setup.clock.advance(0);
    await setup.lastIsReady();
    assert.deepEqual(setup.living.at(-1), [1, 102, "ready"]);
  });
});

describe("shrinking", () => {
  it("lets the youngest slot finish and replaces nobody", async () => {
    const setup = await ServingSet.start(3);
    const { set, workers, clock } = setup;
    await set.shrink();
    assert.deepEqual(
      workers.map(({ heard }) => heard.at(-1)),
      ["start", "start", "drain"],
    );
    assert.deepEqual([set.size, setup.living.at(-1)], [2, [2, 102, "draining"]]);
    setup.worker(2).exit();
    clock.advance(120_000);
    assert.deepEqual(setup.living, [[0, 100, "ready"], [1, 101, "ready"]]); // prettier-ignore
    assert.equal(workers.length, 3);
  });

  it("always leaves one", async () => {
    const { set, workers } = await ServingSet.start(2);
    for (let times = 0; times < 5; times += 1) await set.shrink();
    assert.equal(set.size, 1);
    assert.deepEqual(
      workers.map(({ heard }) => heard),
      [["start"], ["start", "drain"]],
    );
  });

  it("gives a number away only when the worker that had it is gone", async () => {
    const setup = await ServingSet.start(2);
    const { set } = setup;
    await set.shrink();
    const meanwhile = set.grow();
    await settle();
    await setup.lastIsReady();
    await meanwhile;
    assert.deepEqual(setup.living.at(-1), [2, 102, "ready"]);
    setup.worker(1).exit();
    const afterwards = set.grow();
    await settle();
    await setup.lastIsReady();
    await afterwards;
    assert.deepEqual(setup.living.at(-1), [1, 103, "ready"]);
  });

  it("takes away a slot that waits to be filled", async () => {
    const setup = await ServingSet.start(2);
    const { set, workers, clock } = setup;
    setup.worker(1).exit({ code: 1 });
    await set.shrink();
    clock.advance(120_000);
    assert.equal(workers.length, 2);
    const grown = set.grow();
    await settle();
    await setup.lastIsReady();
    await grown;
    assert.deepEqual(setup.living.at(-1), [1, 102, "ready"], "its number is free again");
  });

  it("starts nobody in a slot whose worker was about to start", async () => {
    const setup = await ServingSet.start(2);
    const { set, workers, clock } = setup;
    setup.worker(1).exit({ code: 1 });
    clock.advance(0);
    await set.shrink();
    setup.worker(2).exit();
    await settle();
    clock.advance(120_000);
    assert.equal(workers.length, 3);
    assert.deepEqual(setup.living, [[0, 100, "ready"]]);
  });

  it("reloads those only that stay", async () => {
    const setup = await ServingSet.start(2);
    await setup.set.shrink();
    const done = setup.set.replaceAll(NEXT);
    await settle();
    await setup.lastIsReady();
    await done;
    assert.equal(setup.workers.length, 3);
    assert.equal(setup.set.restarts.reload, 1);
  });
});
