import assert from "node:assert/strict";
import { setImmediate as settle } from "node:timers/promises";
import type { Config } from "../../src/config/config.ts";
import { silentLogger } from "../../src/log/logger.ts";
import { Ledger } from "../../src/supervisor/ledger.ts";
import { WorkerSet } from "../../src/supervisor/worker-set.ts";
import type { WorkerStart } from "../../src/supervisor/worker-slot.ts";
import { FakeClock } from "./fake-clock.ts";
import { fakeSpawn, workerSnapshot, WORKER_START, type FakeWorker } from "./fake-workers.ts";

/** What workers are started with, but for these settings. */
export function startOf(changes: Partial<Config>): WorkerStart {
  return { ...WORKER_START, config: { ...WORKER_START.config, ...changes } };
}

/** What a reload starts workers with. */
export const NEXT: WorkerStart = startOf({ app: "./next.js" });

/** Workers that serve, of which the test says what becomes. */
export class ServingSet {
  readonly clock: FakeClock = new FakeClock();
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
  static async start(size: number, startCommand: WorkerStart = WORKER_START): Promise<ServingSet> {
    const setup = new ServingSet(size, startCommand);
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
