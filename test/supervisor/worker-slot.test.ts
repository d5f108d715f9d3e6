import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { WORKER_START } from "../helpers/fake-workers.ts";
import { NEXT, ServingSet, startOf } from "../helpers/serving-set.ts";

const GRACE_MS = WORKER_START.config.drain.gracePeriodMs;

describe("a reload", () => {
  it("replaces one worker after the other, each ready before its predecessor finishes", async () => {
    const setup = await ServingSet.start(2);
    const { set, workers } = setup;
    const done = set.replaceAll(NEXT);
    await settle();
    assert.deepEqual(setup.living, [[0, 100, "ready"], [0, 102, "starting"], [1, 101, "ready"]]); // prettier-ignore
    assert.deepEqual(setup.worker(0).heard, ["start"]);
    await setup.lastIsReady();
    assert.deepEqual(setup.worker(0).heard, ["start", "drain"]);
    assert.deepEqual(setup.worker(1).heard, ["start"], "its successor is not ready");
    assert.equal(workers.length, 4, "a predecessor that takes its time holds up nobody");
    await setup.lastIsReady();
    await done;
    assert.deepEqual(setup.worker(1).heard, ["start", "drain"]);
    for (const index of [0, 1]) setup.worker(index).exit();
    assert.deepEqual(setup.living, [[0, 102, "ready"], [1, 103, "ready"]]); // prettier-ignore
    assert.equal(set.restarts.reload, 2);
    assert.deepEqual([2, 3].map((index) => setup.appOf(index)), ["./next.js", "./next.js"]); // prettier-ignore
  });

  it("gives predecessors the grace period, and kills what is left", async () => {
    const setup = await ServingSet.start(1);
    const done = setup.set.replaceAll(NEXT);
    await settle();
    await setup.lastIsReady();
    await done;
    const { clock } = setup;
    assert.deepEqual(setup.worker(0).commands.at(-1), {
      type: "drain",
      deadlineMs: clock.now() + GRACE_MS,
    });
    clock.advance(GRACE_MS);
    assert.equal(setup.worker(0).kills, 0);
    clock.advance(1_000);
    assert.equal(setup.worker(0).kills, 1);
    assert.equal(setup.worker(1).kills, 0);
  });

  it("stops at the first that cannot start, and leaves the old ones serving", async () => {
    const setup = await ServingSet.start(2);
    const { set, workers, clock } = setup;
    const done = set.replaceAll(NEXT);
    await settle();
    setup.worker(2).fail("it throws");
    setup.worker(2).exit({ code: 3 });
    await assert.rejects(done, { code: "ERR_WORKER", message: /it throws/ });
    clock.advance(120_000);
    assert.equal(workers.length, 3, "it is not tried again");
    assert.deepEqual(setup.living, [[0, 100, "ready"], [1, 101, "ready"]]); // prettier-ignore
    assert.deepEqual([setup.worker(0).heard, setup.worker(1).heard], [["start"], ["start"]]);
    assert.deepEqual([set.restarts.reload, set.restarts.start_failed], [0, 0]);
  });

  it("kills a successor that is not ready in time, and leaves the old ones serving", async () => {
    const setup = await ServingSet.start(2);
    const reloaded = setup.set.replaceAll(startOf({ startTimeoutMs: 5_000 }));
    await settle();
    setup.clock.advance(6_900);
    assert.equal(setup.worker(2).kills, 0, "it may say itself what is missing");
    setup.clock.advance(100);
    const message = "Worker 0 was not ready within 5s";
    await assert.rejects(reloaded, { code: "ERR_WORKER", message });
    assert.equal(setup.worker(2).kills, 1);
    setup.worker(2).exit({ code: null, signal: "SIGKILL" });
    assert.deepEqual(setup.living, [
      [0, 100, "ready"],
      [1, 101, "ready"],
    ]);
  });

  it("waits as long as it takes where there is no limit", async () => {
    const setup = await ServingSet.start(1);
    const reloaded = setup.set.replaceAll(startOf({ startTimeoutMs: 0 }));
    await settle();
    setup.clock.advance(24 * 3_600_000);
    assert.equal(setup.worker(1).kills, 0);
    await setup.lastIsReady();
    await reloaded;
  });

  it("goes back to what worked before, for whoever is started next", async () => {
    const setup = await ServingSet.start(1);
    const done = setup.set.replaceAll(NEXT);
    await settle();
    setup.worker(1).exit({ code: 3 });
    await assert.rejects(done);
    setup.worker(0).exit({ code: 1 });
    setup.clock.advance(0);
    assert.deepEqual([setup.appOf(1), setup.appOf(2)], ["./next.js", WORKER_START.config.app]);
  });

  it("is not held up by a predecessor that crashes meanwhile", async () => {
    const setup = await ServingSet.start(1);
    const { set, clock } = setup;
    const done = set.replaceAll(NEXT);
    await settle();
    setup.worker(0).exit({ code: 1 });
    clock.advance(0);
    assert.deepEqual(setup.living, [[0, 102, "starting"], [0, 101, "starting"]]); // prettier-ignore
    setup.worker(1).ready();
    await done;
    assert.deepEqual(setup.worker(2).heard, ["start", "drain"], "the one too many");
    setup.worker(2).exit();
    clock.advance(120_000);
    assert.deepEqual(setup.living, [[0, 101, "ready"]]);
    assert.deepEqual([set.restarts.crash, set.restarts.reload], [1, 1]);
  });

  it("takes back a restart that was still to come", async () => {
    const setup = await ServingSet.start(1);
    const { set, workers, clock } = setup;
    setup.worker(0).exit({ code: 1 });
    clock.advance(0);
    setup.worker(1).exit({ code: 1 });
    const done = set.replaceAll(NEXT);
    await settle();
    setup.worker(2).ready();
    await done;
    clock.advance(120_000);
    assert.equal(workers.length, 3);
    assert.deepEqual(setup.living, [[0, 102, "ready"]]);
  });

  it("that fails leaves a slot to be filled that was empty", async () => {
    const setup = await ServingSet.start(1);
    const done = setup.set.replaceAll(NEXT);
    await settle();
    setup.worker(0).exit({ code: 1 });
    setup.worker(1).exit({ code: 3 });
    await assert.rejects(done);
    setup.clock.advance(0);
    await setup.lastIsReady();
    assert.deepEqual(setup.living, [[0, 102, "ready"]]);
  });

  it("waits for one that is under way", async () => {
    const setup = await ServingSet.start(1);
    const { set, workers } = setup;
    const both = [set.replaceAll(NEXT), set.replaceAll(startOf({ app: "./third.js" }))];
    await settle();
    assert.equal(workers.length, 2);
    await setup.lastIsReady();
    assert.equal(workers.length, 3);
    await setup.lastIsReady();
    await Promise.all(both);
    assert.deepEqual([setup.appOf(1), setup.appOf(2)], ["./next.js", "./third.js"]);
    assert.equal(set.restarts.reload, 2);
  });

  it("waits for one that fails", async () => {
    const setup = await ServingSet.start(1);
    const first = setup.set.replaceAll(NEXT);
    const second = setup.set.replaceAll(startOf({ app: "./third.js" }));
    await settle();
    setup.worker(1).exit({ code: 3 });
    await assert.rejects(first);
    await settle();
    await setup.lastIsReady();
    await second;
    assert.equal(setup.appOf(2), "./third.js");
  });

  it("fails when a successor is gone as soon as it is ready", async () => {
    const setup = await ServingSet.start(1);
    const done = setup.set.replaceAll(NEXT);
    await settle();
    setup.worker(1).ready();
    setup.worker(1).exit({ code: 1 });
    await assert.rejects(done, { code: "ERR_WORKER" });
    assert.deepEqual(setup.worker(0).heard, ["start"]);
    assert.deepEqual(setup.living, [[0, 100, "ready"]]);
  });

  it("is given up when all drain, its successor included", async () => {
    const setup = await ServingSet.start(2);
    const { set, workers, clock } = setup;
    const done = set.replaceAll(NEXT);
    await settle();
    const drained = set.drain(clock.now() + 1_000);
    assert.deepEqual(
      workers.map(({ heard }) => heard),
      Array(3).fill(["start", "drain"]),
    );
    for (const worker of workers) worker.exit();
    await assert.rejects(done);
    await drained;
    clock.advance(120_000);
    assert.equal(workers.length, 3, "nobody is spawned any more");
    assert.deepEqual(set.handles, []);
  });

  it("is refused while all drain", async () => {
    const { set, clock } = await ServingSet.start(1);
    void set.drain(clock.now() + 1_000);
    for (const change of [() => set.replaceAll(NEXT), () => set.grow(), () => set.shrink()])
      await assert.rejects(change, { code: "ERR_STATE" });
  });
});
