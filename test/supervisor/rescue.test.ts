import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import type { BlockedStack } from "../../src/supervisor/blocked-stack.ts";
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
import { recordingLogger, type RecordedLine } from "../helpers/recording-logger.ts";

const TIMEOUT_MS = 10_000;
const START: WorkerStart = {
  ...WORKER_START,
  config: { ...WORKER_START.config, workerTimeoutMs: TIMEOUT_MS },
};
const NEXT: WorkerStart = { ...START, config: { ...START.config, app: "./next.js" } };
const STACK: BlockedStack = { kind: "frames", frames: ["spin (/srv/app.js:3:5)"] };

class Setup {
  readonly clock = new FakeClock();
  /** All that were ever spawned, in order. */
  readonly workers: readonly FakeWorker[];
  readonly set: WorkerSet;
  readonly lines: readonly RecordedLine[];
  /** Indices of those that report. */
  readonly #reporting = new Set<number>();

  private constructor(size: number) {
    const { spawn, workers } = fakeSpawn();
    const { log, lines } = recordingLogger();
    this.workers = workers;
    this.lines = lines;
    this.set = new WorkerSet({
      size,
      spawn: (...given) => ({ ...spawn(...given), readStack: () => Promise.resolve(STACK) }),
      startCommand: START,
      listeners: [],
      ledger: new Ledger(["app"]),
      clock: this.clock,
      log,
      random: () => 0,
    });
  }

  /** A set of which every worker is ready and reports. */
  static async serving(size: number): Promise<Setup> {
    const setup = new Setup(size);
    const started = setup.set.start(size);
    for (const index of setup.workers.keys()) setup.ready(index);
    await started;
    return setup;
  }

  ready(index: number): void {
    this.worker(index).report(workerSnapshot());
    this.worker(index).ready();
    this.#reporting.add(index);
  }

  block(...indices: readonly number[]): void {
    for (const index of indices) this.#reporting.delete(index);
  }

  unblock(index: number): void {
    this.#reporting.add(index);
  }

  /** Lets seconds pass, in which those that are not blocked report. */
  async pass(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 1) {
      for (const index of this.#reporting) this.worker(index).report(workerSnapshot());
      this.clock.advance(1_000);
      await settle();
    }
  }

  worker(index: number): FakeWorker {
    const worker = this.workers[index];
    assert.ok(worker, `worker ${index} was not spawned`);
    return worker;
  }

  logged(msg: string): RecordedLine[] {
    return this.lines.filter((line) => line.msg === msg);
  }
}

const TIMEOUT_S = TIMEOUT_MS / 1_000 + 1;
/** What a successor is given to start, with the margin for what the worker says itself. */
const START_LIMIT_S = 62;

describe("a ready worker that does not report", () => {
  it("is told of once, with the place where it is held up", async () => {
    const setup = await Setup.serving(2);
    setup.block(1);
    await setup.pass(TIMEOUT_S + 20);
    const [line, ...others] = setup.logged("worker unresponsive");
    assert.deepEqual(others, []);
    const { silentForMs, ...fields } = line?.fields ?? {};
    assert.deepEqual(fields, { worker: 1, pid: 101, blockedAt: ["spin (/srv/app.js:3:5)"] });
    assert.ok(Number(silentForMs) >= TIMEOUT_MS && Number(silentForMs) < TIMEOUT_MS + 1_000);
    assert.equal(line?.level, "error");
  });

  it("gets a successor first, then a short time, then SIGKILL", async () => {
    const setup = await Setup.serving(1);
    setup.block(0);
    await setup.pass(TIMEOUT_S);
    assert.equal(setup.workers.length, 2);
    assert.deepEqual(setup.worker(0).heard, ["start"]);
    setup.ready(1);
    await settle();
    assert.deepEqual(setup.worker(0).heard, ["start", "drain"]);
    await setup.pass(5);
    assert.equal(setup.worker(0).kills, 0);
    await setup.pass(1);
    assert.equal(setup.worker(0).kills, 1);
    setup.worker(0).exit({ code: null, signal: "SIGKILL" });
    assert.equal(setup.set.restarts.unresponsive, 1);
    const [exit] = setup.logged("worker exited");
    assert.deepEqual(exit?.fields, { worker: 0, pid: 100, code: null, signal: "SIGKILL", reason: "unresponsive" }); // prettier-ignore
  });

  it("is left alone while it is not ready yet", async () => {
    const setup = await Setup.serving(1);
    setup.worker(0).exit({ code: 1 });
    await setup.pass(60);
    assert.equal(setup.workers.length, 2, "its successor may take its time to start");
    assert.deepEqual(setup.logged("worker unresponsive"), []);
  });

  it("has the grace period when it comes back before its successor is ready", async () => {
    const setup = await Setup.serving(1);
    setup.block(0);
    await setup.pass(TIMEOUT_S);
    setup.unblock(0);
    await setup.pass(1);
    setup.ready(1);
    await settle();
    assert.deepEqual(setup.worker(0).commands.at(-1), {
      type: "drain",
      deadlineMs: setup.clock.now() + START.config.drain.gracePeriodMs,
    });
  });

  it("is told of again when it comes back and is silent once more", async () => {
    const setup = await Setup.serving(2);
    setup.block(0, 1);
    await setup.pass(TIMEOUT_S);
    setup.unblock(1);
    await setup.pass(1);
    setup.ready(2);
    await settle();
    assert.equal(setup.workers.length, 3, "it came back before its turn");
    setup.block(1);
    await setup.pass(TIMEOUT_S);
    assert.equal(setup.workers.length, 4);
    assert.equal(setup.logged("worker unresponsive").length, 3);
  });

  it("is replaced in turn with others, so that no more than one is on top", async () => {
    const setup = await Setup.serving(3);
    setup.block(0, 1, 2);
    await setup.pass(TIMEOUT_S);
    for (const index of [3, 4, 5]) {
      assert.equal(setup.workers.length, index + 1);
      setup.ready(index);
      await settle();
    }
    assert.equal(setup.set.restarts.unresponsive, 3);
  });

  it("stays when its successor cannot start, and is tried again after a while", async () => {
    const setup = await Setup.serving(1);
    setup.block(0);
    await setup.pass(TIMEOUT_S);
    for (let failures = 1; failures <= 5; failures += 1) {
      assert.equal(setup.set.isStuck, false);
      setup.worker(failures).exit({ code: 3 });
      await settle();
      assert.deepEqual(setup.worker(0).heard, ["start"]);
      assert.equal(setup.logged("unresponsive worker could not be replaced").length, failures);
      await setup.pass(9);
      assert.equal(setup.workers.length, failures + 1);
      await setup.pass(2);
      assert.equal(setup.workers.length, failures + 2);
    }
    assert.equal(setup.set.isStuck, true, "it does not serve, and cannot be replaced");
    setup.ready(6);
    await settle();
    assert.equal(setup.set.isStuck, false);
    assert.equal(setup.logged("worker unresponsive").length, 1);
  });

  it("does not wait for ever for the successor of another that hangs while it starts", async () => {
    const setup = await Setup.serving(2);
    setup.block(0, 1);
    await setup.pass(TIMEOUT_S);
    await setup.pass(START_LIMIT_S - 2);
    assert.deepEqual([setup.workers.length, setup.worker(2).kills], [3, 0]);
    await setup.pass(3);
    assert.equal(setup.worker(2).kills, 1);
    const [line] = setup.logged("unresponsive worker could not be replaced");
    const error = { code: "ERR_WORKER", message: "Worker 0 was not ready within 1m" };
    assert.deepEqual(line?.fields, { worker: 0, pid: 100, error });
    assert.equal(
      setup.workers.length,
      4,
      "the other has its turn although the first is not gone yet",
    );
    setup.worker(2).exit({ code: null, signal: "SIGKILL" });
    setup.ready(3);
    await settle();
    assert.deepEqual(setup.worker(1).heard, ["start", "drain"]);
    assert.deepEqual(setup.worker(0).heard, ["start"]);
    await setup.pass(11);
    assert.equal(setup.workers.length, 5, "the first is tried again");
    setup.ready(4);
    await settle();
    assert.deepEqual(setup.worker(0).heard, ["start", "drain"]);
    await setup.pass(START_LIMIT_S + 1);
    assert.deepEqual([setup.worker(3).kills, setup.worker(4).kills], [0, 0], "they were in time");
  });

  it("is given up when every successor hangs while it starts", async () => {
    const setup = await Setup.serving(1);
    setup.block(0);
    await setup.pass(TIMEOUT_S);
    for (let failures = 1; failures <= 5; failures += 1) {
      assert.equal(setup.set.isStuck, false);
      await setup.pass(START_LIMIT_S);
      assert.equal(setup.worker(failures).kills, 1);
      setup.worker(failures).exit({ code: null, signal: "SIGKILL" });
      assert.equal(setup.logged("unresponsive worker could not be replaced").length, failures);
      if (failures < 5) await setup.pass(11);
      assert.equal(setup.workers.length, Math.min(failures + 2, 6));
    }
    assert.equal(setup.set.isStuck, true);
  });

  it("leaves its successor that still starts to the deadline of the drain", async () => {
    const setup = await Setup.serving(1);
    setup.block(0);
    await setup.pass(TIMEOUT_S);
    void setup.set.drain(setup.clock.now() + 2 * START_LIMIT_S * 1_000);
    await setup.pass(START_LIMIT_S + 1);
    assert.deepEqual([setup.worker(1).heard, setup.worker(1).kills], [["start", "drain"], 0]);
    assert.deepEqual(setup.logged("unresponsive worker could not be replaced"), []);
  });

  it("is replaced although a reload is under way in another slot", async () => {
    const setup = await Setup.serving(2);
    const reloaded = setup.set.replaceAll(NEXT);
    await settle();
    setup.block(1);
    await setup.pass(TIMEOUT_S);
    assert.deepEqual(
      setup.set.handles.map(({ slot, state }) => [slot, state]),
      [[0, "ready"], [0, "starting"], [1, "ready"], [1, "starting"]],
    ); // prettier-ignore
    setup.ready(3);
    await settle();
    assert.deepEqual(setup.worker(1).heard, ["start", "drain"]);
    setup.ready(2);
    await settle();
    setup.ready(4);
    await reloaded;
    assert.deepEqual([setup.set.restarts.unresponsive, setup.set.restarts.reload], [1, 2]);
  });

  it("is watched by the timeout that holds after a reload, or after one that failed", async () => {
    const setup = await Setup.serving(1);
    const off = { ...START, config: { ...START.config, workerTimeoutMs: 0 } };
    const failed = setup.set.replaceAll(off);
    await setup.pass(1);
    setup.worker(1).exit({ code: 3 });
    await assert.rejects(failed);
    setup.block(0);
    await setup.pass(TIMEOUT_S);
    assert.equal(setup.logged("worker unresponsive").length, 1);
    setup.ready(2);
    await settle();
    for (const [index, start] of [off, START].entries()) {
      const reloaded = setup.set.replaceAll(start);
      await settle();
      setup.ready(3 + index);
      await reloaded;
      setup.block(3 + index);
      await setup.pass(TIMEOUT_S);
      assert.equal(setup.logged("worker unresponsive").length, 1 + index);
    }
  });

  it("is left to a reload that has reached its slot", async () => {
    const setup = await Setup.serving(1);
    const reloaded = setup.set.replaceAll(NEXT);
    await settle();
    setup.block(0);
    await setup.pass(TIMEOUT_S + 5);
    assert.equal(setup.workers.length, 2);
    assert.equal(setup.logged("worker unresponsive").length, 1);
    setup.ready(1);
    await reloaded;
    assert.equal(setup.set.restarts.unresponsive, 0);
  });

  it("does not bring an old app back over one that a reload put in its place", async () => {
    const setup = await Setup.serving(1);
    setup.block(0);
    await setup.pass(TIMEOUT_S);
    const reloaded = setup.set.replaceAll(NEXT);
    await settle();
    setup.ready(2);
    await reloaded;
    setup.ready(1);
    await settle();
    assert.deepEqual(setup.worker(2).heard, ["start"]);
    assert.deepEqual(setup.worker(1).heard, ["start", "drain"]);
  });

  it("gets no successor in a slot that was taken away meanwhile", async () => {
    const setup = await Setup.serving(2);
    setup.block(1);
    await setup.pass(TIMEOUT_S);
    await setup.set.shrink();
    setup.ready(2);
    await settle();
    assert.deepEqual(setup.worker(2).heard, ["start", "drain"]);
  });

  it("gets no successor once all drain", async () => {
    const setup = await Setup.serving(1);
    setup.block(0);
    await setup.pass(TIMEOUT_S - 1);
    void setup.set.drain(setup.clock.now() + 1_000);
    setup.worker(0).exit();
    await setup.pass(30);
    assert.equal(setup.workers.length, 1);
    assert.equal(setup.clock.pending, 0);
  });
});
