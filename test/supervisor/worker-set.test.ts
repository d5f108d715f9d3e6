import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger } from "../../src/log/logger.ts";
import { Ledger } from "../../src/supervisor/ledger.ts";
import { WorkerSet } from "../../src/supervisor/worker-set.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import {
  fakeSpawn,
  workerSnapshot,
  WORKER_START,
  type FakeWorker,
} from "../helpers/fake-workers.ts";

interface Setup {
  readonly set: WorkerSet;
  /** All that were ever spawned, in order. */
  readonly workers: readonly FakeWorker[];
  readonly clock: FakeClock;
  readonly ledger: Ledger;
}

function setUp(size: number): Setup {
  const { spawn, workers } = fakeSpawn();
  const clock = new FakeClock();
  const ledger = new Ledger(["app"]);
  const set = new WorkerSet({
    size,
    spawn,
    listeners: [],
    ledger,
    clock,
    log: silentLogger,
    random: () => 0,
    startCommand: WORKER_START,
  });
  return { set, workers, clock, ledger };
}

/** A set of which every worker is ready. */
async function serving(size: number): Promise<Setup> {
  const setup = setUp(size);
  const started = setup.set.start(size);
  for (const worker of setup.workers) worker.ready();
  await started;
  return setup;
}

describe("WorkerSet", () => {
  it("has started when enough workers are ready", async () => {
    const { set, workers } = setUp(3);
    let hasStarted = false;
    const started = set.start(2).then(() => (hasStarted = true));
    assert.equal(workers.length, 3);
    workers[0]?.ready();
    await Promise.resolve();
    assert.equal(hasStarted, false);
    workers[2]?.ready();
    await started;
  });

  it("fails to start when a worker cannot, and tries no other", async () => {
    const { set, workers, clock } = setUp(2);
    const started = set.start(2);
    workers[0]?.ready();
    workers[1]?.fail("no such module");
    workers[1]?.exit({ code: 3 });
    await assert.rejects(started, /no such module/);
    clock.advance(60_000);
    assert.equal(workers.length, 2);
    assert.equal(set.restarts.start_failed, 0);
  });

  it("fails to start when a worker it counted on ends before the others are ready", async () => {
    const { set, workers, clock } = setUp(2);
    const started = set.start(2);
    workers[0]?.ready();
    workers[0]?.exit({ code: 1 });
    await assert.rejects(started, {
      code: "ERR_WORKER",
      message: "Worker 0 exited with code 1 before enough others were ready",
    });
    clock.advance(60_000);
    assert.equal(workers.length, 2);
  });

  it("tries again when a process cannot be made", async () => {
    const { spawn, workers } = fakeSpawn();
    const clock = new FakeClock();
    let isExhausted = false;
    const set = new WorkerSet({
      size: 1,
      spawn: (listeners, events) => {
        if (isExhausted) throw new Error("no descriptor is left");
        return spawn(listeners, events);
      },
      listeners: [],
      ledger: new Ledger(["app"]),
      clock,
      log: silentLogger,
      random: () => 0,
      startCommand: WORKER_START,
    });
    const started = set.start(1);
    workers[0]?.ready();
    await started;
    isExhausted = true;
    workers[0]?.exit({ code: 1 });
    for (let second = 0; second < 3; second += 1) {
      clock.advance(1_000);
      await Promise.resolve();
    }
    assert.equal(set.handles.length, 0);
    isExhausted = false;
    clock.advance(1_000);
    assert.equal(set.handles.length, 1);
  });

  it("says goodbye through a worker that becomes ready later", async () => {
    const { set, workers, clock } = await serving(1);
    workers[0]?.exit({ code: 1 });
    clock.advance(0);
    set.announceClose();
    workers[1]?.ready();
    assert.deepEqual(
      workers[1]?.commands.filter(({ type }) => type === "announce-close").length,
      2,
    );
  });

  it("replaces a worker at once, in its slot", async () => {
    const { set, workers, clock } = await serving(2);
    workers[1]?.exit({ code: 1 });
    clock.advance(0);
    assert.equal(workers.length, 3);
    assert.deepEqual(
      set.handles.map(({ slot, pid, state }) => [slot, pid, state]),
      [
        [0, 100, "ready"],
        [1, 102, "starting"],
      ],
    );
    assert.equal(set.restarts.crash, 1);
  });

  it("waits longer each time when it has to replace again and again", async () => {
    const { workers, clock } = await serving(1);
    const startMs = clock.now();
    const endedMs: number[] = [];
    while (clock.now() - startMs < 120_000) {
      const before = workers.length;
      endedMs.push(clock.now() - startMs);
      workers.at(-1)?.ready();
      workers.at(-1)?.exit({ code: 1 });
      while (workers.length === before) clock.advance(1);
      assert.equal(workers.length, before + 1, "one at a time");
    }
    const waits = endedMs.slice(1).map((atMs, index) => atMs - (endedMs[index] ?? 0));
    // A delay of nothing is over at the next tick of this test.
    assert.deepEqual(waits.slice(1, 8), [100, 200, 400, 800, 1_600, 3_200, 6_400]);
    assert.equal(Math.max(...waits), 30_000);
  });

  it("tells crashes from workers that did not come to serve", async () => {
    const { set, workers, clock } = await serving(1);
    workers[0]?.exit({ code: 1 });
    clock.advance(0);
    workers[1]?.exit({ code: 3 });
    assert.deepEqual([set.restarts.crash, set.restarts.start_failed], [1, 1]);
  });

  it("is failing when no slot serves and none of the last workers lasted", async () => {
    const { set, workers, clock } = await serving(2);
    for (let ends = 0; ends < 3; ends += 1) {
      assert.equal(set.isFailing, false);
      for (const { pid } of set.handles)
        workers.find((worker) => worker.pid === pid)?.exit({ code: 1 });
      if (ends < 2) clock.advance(30_000);
    }
    assert.equal(set.isFailing, true);
    clock.advance(30_000);
    assert.equal(set.isFailing, true, "a worker that only starts is no hope yet");
    workers.at(-1)?.ready();
    assert.equal(set.isFailing, false);
  });

  it("is stuck only when no slot serves and replacing keeps failing", async () => {
    const { set, workers, clock } = await serving(2);
    for (let round = 0; round < 12; round += 1) {
      assert.equal(set.isStuck, false);
      for (const pid of set.handles.map((handle) => handle.pid))
        if (pid !== 100) workers.find((worker) => worker.pid === pid)?.exit({ code: 1 });
      clock.advance(30_000);
    }
    assert.equal(set.isStuck, false, "the other slot serves");
    for (let round = 0; round < 12; round += 1) {
      for (const { pid } of set.handles)
        workers.find((worker) => worker.pid === pid)?.exit({ code: 1 });
      clock.advance(30_000);
    }
    assert.equal(set.isStuck, true);
  });

  it("spawns nobody once it drains, not even where a restart was due", async () => {
    const { set, workers, clock } = await serving(2);
    for (let ends = 0; ends < 2; ends += 1) {
      workers.at(-1)?.exit({ code: 1 });
      if (ends === 0) clock.advance(0);
    }
    const spawned = workers.length;
    const drained = set.drain(clock.now() + 1_000);
    clock.advance(500);
    workers[0]?.exit();
    await drained;
    clock.advance(60_000);
    assert.equal(workers.length, spawned);
    assert.deepEqual(set.handles, []);
  });

  it("lets all drain at once and is done when the last is gone", async () => {
    const { set, workers, clock } = await serving(2);
    let isDone = false;
    const drained = set.drain(clock.now() + 5_000).then(() => (isDone = true));
    assert.deepEqual(
      workers.map(({ heard }) => heard.at(-1)),
      ["drain", "drain"],
    );
    workers[0]?.drained(workerSnapshot(), 2);
    workers[0]?.exit();
    await Promise.resolve();
    assert.equal(isDone, false);
    workers[1]?.drained(workerSnapshot(), 1);
    workers[1]?.exit();
    await drained;
    assert.equal(set.forcedAsOf(), 3);
  });

  it("hurries only those that drain", async () => {
    const { set, workers, clock } = await serving(1);
    set.hurry(clock.now());
    assert.deepEqual(workers[0]?.heard, ["start"]);
    void set.drain(clock.now() + 60_000);
    set.hurry(clock.now());
    clock.advance(1_000);
    assert.equal(workers[0]?.kills, 1);
  });

  it("hands what the dead counted to the ledger", async () => {
    const { workers, ledger } = await serving(1);
    workers[0]?.report(workerSnapshot((counters) => counters.countAccepted()));
    workers[0]?.exit({ code: null, signal: "SIGKILL" });
    const total = ledger.total("app", []);
    assert.deepEqual([total.accepted, total.closed("worker_lost")], [1, 1]);
  });

  it("counts those missing that do not report in time", async () => {
    const { set, workers, clock } = await serving(3);
    const reported = set.reports.ask(50);
    const [, command] = workers[0]?.commands ?? [];
    workers[0]?.report(workerSnapshot(), command?.type === "report" ? command.id : -1);
    workers[1]?.exit({ code: 1 });
    await Promise.resolve();
    clock.advance(50);
    await reported;
    assert.equal(set.reports.missing, 1);
  });
});
