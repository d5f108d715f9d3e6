import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WorkerState } from "../../src/snapshot.ts";
import { WorkerHandle } from "../../src/supervisor/worker-handle.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import {
  fakeSpawn,
  workerSnapshot,
  WORKER_START,
  type FakeWorker,
} from "../helpers/fake-workers.ts";

const START = { ...WORKER_START, credentials: {}, reportAfterRequests: 0 };

interface Setup {
  readonly handle: WorkerHandle;
  readonly worker: FakeWorker;
  readonly clock: FakeClock;
  readonly states: WorkerState[];
}

function setUp(): Setup {
  const { spawn, workers } = fakeSpawn();
  const clock = new FakeClock();
  const states: WorkerState[] = [];
  const onChange = ({ state }: WorkerHandle): void => void states.push(state);
  const handle = new WorkerHandle({ slot: 0, spawn, listeners: [], onChange, clock });
  const [worker] = workers;
  assert.ok(worker);
  return { handle, worker, clock, states };
}

/** A worker that is ready. */
async function serving(): Promise<Setup> {
  const setup = setUp();
  const started = setup.handle.start(START);
  setup.worker.ready();
  await started;
  return setup;
}

describe("WorkerHandle", () => {
  it("resolves start when the worker is ready, once and for all", async () => {
    const { handle, worker, states } = setUp();
    const started = handle.start(START);
    assert.equal(handle.state, "starting");
    worker.ready();
    worker.ready();
    await started;
    worker.exit({ code: 1 });
    assert.equal(await started, undefined);
    assert.deepEqual(states, ["starting", "ready", "exited"]);
  });

  it("rejects start with what the worker said when it fails", async () => {
    const { handle, worker } = setUp();
    const started = handle.start(START);
    worker.fail("the database said no");
    worker.exit({ code: 3 });
    await assert.rejects(started, { code: "ERR_WORKER", message: /the database said no/ });
    assert.equal(handle.hasBeenReady, false);
  });

  it("rejects start with how the worker ended", async () => {
    const { handle, worker } = setUp();
    const started = handle.start(START);
    worker.exit({ code: 1 });
    const message = "Worker 0 exited with code 1 before it was ready";
    await assert.rejects(started, { code: "ERR_WORKER", message });
  });

  it("rejects start when it is drained before it is ready", async () => {
    const { handle, worker, states } = setUp();
    const started = handle.start(START);
    void handle.drain(0);
    worker.ready();
    worker.exit();
    await assert.rejects(started);
    assert.deepEqual(states, ["starting", "draining", "exited"]);
  });

  for (const state of ["starting", "ready", "draining"] as const) {
    it(`goes from ${state} to exited, and reports that to everybody`, async () => {
      const { handle, worker, clock } = setUp();
      handle.start(START).catch(() => {});
      if (state !== "starting") worker.ready();
      if (state === "draining") void handle.drain(clock.now() + 1_000);
      assert.equal(handle.state, state);
      const answers = [handle.report(), handle.report()];
      worker.exit({ code: 7 });
      assert.equal(handle.state, "exited");
      await Promise.all(answers);
      assert.deepEqual(await handle.exited, { code: 7, signal: null });
      assert.equal(clock.pending, 0);
      clock.advance(60_000);
      assert.equal(worker.kills, 0);
    });
  }

  it("kills only when the deadline has passed by a margin", async () => {
    const { handle, worker, clock } = await serving();
    const ended = handle.drain(clock.now() + 5_000);
    assert.deepEqual(worker.heard, ["start", "drain"]);
    // The app's shutdown hook has half a second beyond the deadline, and the worker has to say goodbye.
    clock.advance(5_600);
    assert.equal(worker.kills, 0);
    clock.advance(400);
    assert.equal(worker.kills, 1);
    worker.exit({ code: null, signal: "SIGKILL" });
    assert.deepEqual(await ended, { code: null, signal: "SIGKILL" });
  });

  it("kills by the deadline it was given last", async () => {
    const { handle, worker, clock } = await serving();
    void handle.drain(clock.now() + 60_000);
    void handle.drain(clock.now());
    clock.advance(1_000);
    assert.equal(worker.kills, 1);
    assert.deepEqual(worker.heard, ["start", "drain", "drain"]);
  });

  it("has nothing to drain when it is gone", async () => {
    const { handle, worker, clock } = await serving();
    worker.exit();
    await handle.drain(clock.now() + 1_000);
    assert.deepEqual([worker.heard, clock.pending], [["start"], 0]);
  });

  it("resolves a report when the numbers that were asked for are here", async () => {
    const { handle, worker } = await serving();
    const answered = handle.report();
    const [, asked] = worker.commands;
    assert.equal(asked?.type, "report");
    worker.report(workerSnapshot(), asked.id);
    await answered;
    assert.deepEqual(handle.snapshot, workerSnapshot());
  });

  describe("counts as forced", () => {
    it("what the worker says that it cut", async () => {
      const { handle, worker } = await serving();
      void handle.drain(0);
      worker.drained(workerSnapshot(), 3);
      worker.exit();
      assert.deepEqual([handle.forcedAsOf(), handle.wasKilled], [3, false]);
    });

    it("what it had cut already when it reported last", async () => {
      const { handle, worker } = await serving();
      void handle.drain(0);
      worker.report(workerSnapshot((counters) => counters.countClosed("forced", 2)));
      assert.equal(handle.forcedAsOf(), 2);
    });

    it("what was open when it had to be killed", async () => {
      const { handle, worker, clock } = await serving();
      worker.report(workerSnapshot((counters) => [1, 2].forEach(() => counters.countAccepted())));
      void handle.drain(clock.now());
      clock.advance(1_000);
      worker.exit({ code: null, signal: "SIGKILL" });
      assert.deepEqual([handle.forcedAsOf(), handle.wasKilled], [2, true]);
    });

    it("one at least when it had to be killed, however long ago it reported", async () => {
      const { handle, worker, clock } = await serving();
      void handle.drain(clock.now());
      clock.advance(1_000);
      worker.exit({ code: null, signal: "SIGKILL" });
      assert.equal(handle.forcedAsOf(), 1);
    });

    it("nothing when it crashes", async () => {
      const { handle, worker } = await serving();
      worker.report(workerSnapshot((counters) => counters.countAccepted()));
      worker.exit({ code: null, signal: "SIGSEGV" });
      assert.equal(handle.forcedAsOf(), 0);
    });
  });

  it("knows how long it has served", async () => {
    const { handle, worker, clock } = setUp();
    void handle.start(START);
    clock.advance(500);
    assert.equal(handle.livedMs, 0);
    worker.ready();
    clock.advance(700);
    assert.equal(handle.livedMs, 700);
  });
});
