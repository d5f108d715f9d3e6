import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import type { Config } from "../../src/config/config.ts";
import { silentLogger } from "../../src/log/logger.ts";
import { Ledger } from "../../src/supervisor/ledger.ts";
import { WorkerSet } from "../../src/supervisor/worker-set.ts";
import type { WorkerStart } from "../../src/supervisor/worker-slot.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import {
  fakeSpawn,
  workerSnapshot,
  WORKER_START,
  type FakeWorker,
} from "../helpers/fake-workers.ts";

const { config: CONFIG } = WORKER_START;
const GRACE_MS = CONFIG.drain.gracePeriodMs;

function startOf(changes: Partial<Config>): WorkerStart {
  return { ...WORKER_START, config: { ...CONFIG, ...changes } };
}

const NEXT = startOf({ app: "./next.js" });
const RECYCLED = startOf({ recycle: { maxRequests: 2, maxLifetimeMs: 0, maxRssBytes: 0 } });

class Setup {
  readonly clock = new FakeClock();
  /** All that were ever spawned, in order. */
  readonly workers: readonly FakeWorker[];
  readonly set: WorkerSet;

  private constructor(size: number, startCommand: WorkerStart) {
    const { spawn, workers } = fakeSpawn();
    this.workers = workers;
    this.set = new WorkerSet({
      size,
      spawn,
      startCommand,
      listeners: [],
      ledger: new Ledger(["app"]),
      clock: this.clock,
      log: silentLogger,
      random: () => 0,
    });
  }

  /** A set of which every worker is ready. */
  static async serving(size: number, startCommand: WorkerStart = WORKER_START): Promise<Setup> {
    const setup = new Setup(size, startCommand);
    const started = setup.set.start(size);
    for (const worker of setup.workers) worker.ready();
    await started;
    return setup;
  }

  worker(index: number): FakeWorker {
    const worker = this.workers[index];
    assert.ok(worker, `worker ${index} was not spawned`);
    return worker;
  }

  /** The worker spawned last is ready, and that was acted on. */
  async lastIsReady(): Promise<void> {
    this.workers.at(-1)?.ready();
    await settle();
  }

  /** Slot, pid and state of all that live. */
  get living(): [slot: number, pid: number | undefined, state: string][] {
    return this.set.handles.map(({ slot, pid, state }) => [slot, pid, state]);
  }

  /** The app a worker was started with. */
  appOf(index: number): string {
    const [start] = this.worker(index).commands;
    return start?.type === "start" ? start.config.app : "";
  }

  /** A worker says that it has answered so many requests. */
  answered(index: number, requests: number): void {
    this.worker(index).report(
      workerSnapshot((counters) => {
        for (let count = 0; count < requests; count += 1) counters.countFinished("GET", 200, 0.01);
      }),
    );
  }
}

describe("a reload", () => {
  it("replaces one worker after the other, each ready before its predecessor finishes", async () => {
    const setup = await Setup.serving(2);
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
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(2);
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
    const setup = await Setup.serving(2);
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
    const setup = await Setup.serving(1);
    const reloaded = setup.set.replaceAll(startOf({ startTimeoutMs: 0 }));
    await settle();
    setup.clock.advance(24 * 3_600_000);
    assert.equal(setup.worker(1).kills, 0);
    await setup.lastIsReady();
    await reloaded;
  });

  it("goes back to what worked before, for whoever is started next", async () => {
    const setup = await Setup.serving(1);
    const done = setup.set.replaceAll(NEXT);
    await settle();
    setup.worker(1).exit({ code: 3 });
    await assert.rejects(done);
    setup.worker(0).exit({ code: 1 });
    setup.clock.advance(0);
    assert.deepEqual([setup.appOf(1), setup.appOf(2)], ["./next.js", CONFIG.app]);
  });

  it("is not held up by a predecessor that crashes meanwhile", async () => {
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(1);
    const done = setup.set.replaceAll(NEXT);
    await settle();
    setup.worker(1).ready();
    setup.worker(1).exit({ code: 1 });
    await assert.rejects(done, { code: "ERR_WORKER" });
    assert.deepEqual(setup.worker(0).heard, ["start"]);
    assert.deepEqual(setup.living, [[0, 100, "ready"]]);
  });

  it("is given up when all drain, its successor included", async () => {
    const setup = await Setup.serving(2);
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
    const { set, clock } = await Setup.serving(1);
    void set.drain(clock.now() + 1_000);
    for (const change of [() => set.replaceAll(NEXT), () => set.grow(), () => set.shrink()])
      await assert.rejects(change, { code: "ERR_STATE" });
  });
});

describe("growing", () => {
  it("adds a worker in a slot of its own", async () => {
    const setup = await Setup.serving(1);
    const done = setup.set.grow();
    await settle();
    await setup.lastIsReady();
    await done;
    assert.deepEqual(setup.living, [[0, 100, "ready"], [1, 101, "ready"]]); // prettier-ignore
    assert.equal(setup.set.size, 2);
  });

  it("leaves all as it was when that cannot start", async () => {
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(1);
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
    const setup = await Setup.serving(3);
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
    const { set, workers } = await Setup.serving(2);
    for (let times = 0; times < 5; times += 1) await set.shrink();
    assert.equal(set.size, 1);
    assert.deepEqual(
      workers.map(({ heard }) => heard),
      [["start"], ["start", "drain"]],
    );
  });

  it("gives a number away only when the worker that had it is gone", async () => {
    const setup = await Setup.serving(2);
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
    const setup = await Setup.serving(2);
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
    const setup = await Setup.serving(2);
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
    const setup = await Setup.serving(2);
    await setup.set.shrink();
    const done = setup.set.replaceAll(NEXT);
    await settle();
    await setup.lastIsReady();
    await done;
    assert.equal(setup.workers.length, 3);
    assert.equal(setup.set.restarts.reload, 1);
  });
});

describe("recycling", () => {
  it("replaces a worker that has served long enough, its successor first", async () => {
    const setup = await Setup.serving(2, RECYCLED);
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
    const setup = await Setup.serving(1, RECYCLED);
    for (let reports = 0; reports < 5; reports += 1) setup.answered(0, 2 + reports);
    await settle();
    await setup.lastIsReady();
    setup.answered(0, 9);
    await settle();
    assert.equal(setup.workers.length, 2);
  });

  it("takes workers in turn, so that no more than one is on top", async () => {
    const setup = await Setup.serving(3, RECYCLED);
    for (const index of [0, 1, 2]) setup.answered(index, 2);
    for (const spawned of [4, 5, 6]) {
      await settle();
      assert.equal(setup.workers.length, spawned);
      await setup.lastIsReady();
    }
    assert.equal(setup.set.restarts.max_requests, 3);
  });

  it("leaves the worker serving when its successor cannot start, and tries again later", async () => {
    const setup = await Setup.serving(1, RECYCLED);
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
    const setup = await Setup.serving(1, RECYCLED);
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
    const setup = await Setup.serving(2, RECYCLED);
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
    const setup = await Setup.serving(2, RECYCLED);
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
    const setup = await Setup.serving(2, RECYCLED);
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
