import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { Ledger } from "../../src/supervisor/ledger.ts";
import { WorkerSet } from "../../src/supervisor/worker-set.ts";
import { FakeClock } from "../helpers/fake-clock.ts";
import {
  fakeSpawn,
  workerSnapshot,
  WORKER_START,
  type FakeWorker,
} from "../helpers/fake-workers.ts";
import { recordingLogger, type RecordedLine } from "../helpers/recording-logger.ts";

interface Setup {
  readonly set: WorkerSet;
  readonly clock: FakeClock;
  readonly workers: readonly FakeWorker[];
  readonly lines: readonly RecordedLine[];
}

/** Workers that serve; the test may make spawning fail. */
async function serving(beforeSpawn: () => void = () => {}, size = 1): Promise<Setup> {
  const { spawn, workers } = fakeSpawn();
  const { log, lines } = recordingLogger();
  const clock = new FakeClock();
  const set = new WorkerSet({
    size,
    spawn: (...given) => {
      beforeSpawn();
      return spawn(...given);
    },
    startCommand: WORKER_START,
    listeners: [],
    ledger: new Ledger(["app"]),
    clock,
    log,
    random: () => 0,
  });
  const started = set.start(size);
  for (const worker of workers) worker.ready();
  await started;
  return { set, clock, workers, lines };
}

/** The worker becomes ready and ends, again and again, for so long. */
function crashFor(ms: number, { clock, workers }: Setup): number {
  const endMs = clock.now() + ms;
  let crashes = 0;
  while (clock.now() < endMs) {
    const before = workers.length;
    if (before > 1) workers.at(-1)?.ready();
    workers.at(-1)?.exit({ code: 1 });
    crashes += 1;
    while (workers.length === before) clock.advance(100);
  }
  return crashes;
}

function aboveDebug(lines: readonly RecordedLine[], msg: string): RecordedLine[] {
  return lines.filter((line) => line.msg === msg && line.level !== "debug");
}

const HOUR_MS = 3_600_000;

describe("a worker that crashes again and again", () => {
  it("is told of at every growth of the delay, and then at every tenth crash", async () => {
    const setup = await serving();
    const crashes = crashFor(HOUR_MS, setup);
    assert.ok(crashes > 120);
    const ends = aboveDebug(setup.lines, "worker exited");
    assert.deepEqual(
      ends.slice(0, 14).map(({ fields }) => fields["restartInMs"]),
      [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000, 30_000],
    );
    assert.deepEqual(
      ends.slice(10, 13).map(({ fields }) => fields["failures"]),
      [11, 21, 31],
    );
    assert.ok(ends.length <= 11 + crashes / 10, `${ends.length} lines for ${crashes} crashes`);
    assert.ok(aboveDebug(setup.lines, "worker ready").length <= ends.length + 1);
    assert.equal(setup.lines.filter(({ msg }) => msg === "worker exited").length, crashes);
    assert.equal(setup.set.restarts.crash, crashes);
  });

  it("says when one stays, and then begins anew", async () => {
    const setup = await serving();
    crashFor(20 * 60_000, setup);
    const { clock, workers, lines, set } = setup;
    workers.at(-1)?.ready();
    clock.advance(9_000);
    workers.at(-1)?.report(workerSnapshot());
    assert.deepEqual(aboveDebug(lines, "worker stays"), []);
    clock.advance(1_000);
    workers.at(-1)?.report(workerSnapshot());
    assert.equal(aboveDebug(lines, "worker stays").length, 1);
    assert.equal(set.isStuck, false);
    workers.at(-1)?.exit({ code: 1 });
    const last = aboveDebug(lines, "worker exited").at(-1)?.fields ?? {};
    assert.deepEqual([last["failures"], last["restartInMs"]], [1, 0]);
  });

  it("is shown while its slot waits, and not after one crash", async () => {
    const { set, clock, workers } = await serving();
    workers[0]?.exit({ code: 1 });
    assert.deepEqual(set.backoffs, []);
    clock.advance(0);
    workers[1]?.exit({ code: 1 });
    clock.advance(30);
    assert.deepEqual(set.backoffs, [{ slot: 0, failures: 2, retryInMs: 70 }]);
    clock.advance(70);
    assert.deepEqual(set.backoffs, []);
  });
});

describe("workers that all crash again and again", () => {
  /** All end until each slot waits for its longest. */
  async function failing(size: number): Promise<Setup> {
    const setup = await serving(() => {}, size);
    const { clock, workers, set } = setup;
    let next = 0;
    while (!set.isStuck) {
      for (; next < workers.length; next += 1) workers[next]?.exit({ code: 1 });
      clock.advance(1_000);
    }
    return setup;
  }

  it("are started no more often, all together, than once in ten seconds", async () => {
    const { clock, workers } = await failing(8);
    const before = workers.length;
    let next = before;
    for (let second = 0; second < 1_600; second += 1) {
      clock.advance(1_000);
      for (; next < workers.length; next += 1) workers[next]?.exit({ code: 1 });
    }
    const starts = workers.length - before;
    assert.ok(starts >= 150 && starts <= 170, `${starts} starts in 1,600 s`);
  });

  it("are all tried again once one of them stays", async () => {
    const { clock, workers, set } = await failing(4);
    const before = workers.length;
    while (workers.length === before) clock.advance(100);
    const [stays, ...others] = workers.slice(before);
    for (const other of others) other.exit({ code: 1 });
    stays?.ready();
    clock.advance(10_000);
    const tried = workers.length;
    const waiting = set.backoffs.length;
    assert.ok(waiting > 0);
    stays?.report(workerSnapshot());
    assert.deepEqual([set.backoffs, workers.length - tried], [[], waiting]);
  });
});

describe("a process that cannot be made", () => {
  it("is told of once a minute", async () => {
    let isExhausted = false;
    const setup = await serving(() => {
      if (isExhausted) throw new Error("no descriptor is left");
    });
    isExhausted = true;
    setup.workers[0]?.exit({ code: 1 });
    for (let second = 0; second < 300; second += 1) {
      setup.clock.advance(1_000);
      await settle();
    }
    assert.equal(aboveDebug(setup.lines, "worker could not be spawned").length, 5);
  });
});
