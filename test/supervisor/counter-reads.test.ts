import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { silentLogger } from "../../src/log/logger.ts";
import { Ledger } from "../../src/supervisor/ledger.ts";
import { SnapshotTaker, type Subject } from "../../src/supervisor/snapshot-taker.ts";
import type { SpawnWorker } from "../../src/supervisor/worker-process.ts";
import { WorkerSet } from "../../src/supervisor/worker-set.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import {
  fakeSpawn,
  workerSnapshot,
  WORKER_START,
  type FakeWorker,
} from "../helpers/fake-workers.ts";

const { config } = WORKER_START;
const SIZE = 3;

interface Setup {
  readonly set: WorkerSet;
  readonly workers: readonly FakeWorker[];
  readonly taker: SnapshotTaker;
  readonly subject: Subject;
  /** How often the page of each worker was read since the last call. */
  readonly takeReads: () => number[];
}

/** Workers that are ready and have reported once; their pages say more than that report. */
async function serving(
  t: TestContext,
  onReport: (taker: SnapshotTaker, subject: Subject) => void = () => {},
): Promise<Setup> {
  const { spawn, workers } = fakeSpawn();
  const reads: number[] = [];
  const spawnWithPage: SpawnWorker = (listeners, events) => {
    const index = reads.push(0) - 1;
    const page = {
      read() {
        reads[index] = (reads[index] ?? 0) + 1;
        return workerSnapshot((counters) => {
          counters.countArrived();
          counters.countRecognized("client");
          counters.countStarted();
        }).counters;
      },
      close() {},
    };
    return { ...spawn(listeners, events), counters: { page, descriptor: 3 } };
  };
  const taker = new SnapshotTaker({ config, version: "1.2.3" });
  t.after(() => taker.stop());
  const ledger = new Ledger(["app"]);
  const set = new WorkerSet({
    size: SIZE,
    spawn: spawnWithPage,
    listeners: [],
    ledger,
    clock: new FakeClock(),
    log: silentLogger,
    random: () => 0,
    startCommand: {
      ...WORKER_START,
      config: { ...config, recycle: { maxRequests: 9, maxLifetimeMs: 0, maxRssBytes: 0 } },
    },
    onChange: () => onReport(taker, subject),
  });
  const subject: Subject = { phase: "ready", ledger, listeners: undefined, workers: set };
  const started = set.start(SIZE);
  for (const worker of workers) worker.ready();
  await started;
  return { set, workers, taker, subject, takeReads: () => reads.splice(0, SIZE, 0, 0, 0) };
}

describe("counts that workers keep in memory", () => {
  it("are not read when a worker reports, nor to judge readiness then", async (t) => {
    let judged = 0;
    const setup = await serving(t, (taker, subject) => {
      judged += taker.standing(subject).workers.length;
    });
    judged = 0;
    setup.takeReads();
    setup.workers[0]?.report(workerSnapshot());
    assert.equal(judged, SIZE, "readiness is judged once");
    assert.deepEqual(setup.takeReads(), [0, 0, 0]);
  });

  it("are read once by a snapshot, which has all numbers from there", async (t) => {
    const { workers, taker, subject, takeReads } = await serving(t);
    for (const worker of workers) worker.report(workerSnapshot());
    takeReads();
    const snapshot = taker.take(subject);
    assert.deepEqual(takeReads(), [1, 1, 1]);
    const seen = snapshot.workers.map((view) => [view.connections, view.requestsInFlight]);
    assert.deepEqual(seen, [[1, 1], [1, 1], [1, 1]]); // prettier-ignore
  });

  it("have no part in what readiness is judged by, which is else as in a snapshot", async (t) => {
    const { workers, taker, subject, takeReads } = await serving(t);
    const health = { healthy: false, message: "no database" };
    workers[1]?.report({ ...workerSnapshot(), health });
    takeReads();
    const standing = taker.standing(subject);
    assert.deepEqual(takeReads(), [0, 0, 0]);
    const snapshot = taker.take(subject);
    const workersSeen = snapshot.workers.map(({ state, silentForMs, health: said }) => ({
      state,
      silentForMs,
      health: said,
    }));
    assert.deepEqual(standing.workers, workersSeen);
    assert.deepEqual(standing.workers[1]?.health, health);
    for (const name of ["phase", "minReady", "workersWanted", "isStuck", "backoffs"] as const)
      assert.deepEqual(standing[name], snapshot[name], name);
  });
});
