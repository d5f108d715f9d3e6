/** How much is logged when workers crash for hours: the real slots, with a clock that does not wait. */
import { setImmediate as settle } from "node:timers/promises";
import { silentLogger, type Logger } from "../../../src/log/logger.ts";
import { Ledger } from "../../../src/supervisor/ledger.ts";
import { WorkerSet } from "../../../src/supervisor/worker-set.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { fakeSpawn, WORKER_START } from "../../helpers/fake-workers.ts";

/** A crash loop as it would go. */
export interface CrashLog {
  readonly crashes: number;
  readonly lines: number;
  readonly hours: number;
}

const STEP_MS = 1_000;

/** Lets workers crash at their start so many times, after all have been ready once. */
export async function countCrashLog(crashes: number, workers: number): Promise<CrashLog> {
  const { spawn, workers: spawned } = fakeSpawn();
  const clock = new FakeClock();
  const { log, lines } = countingLogger();
  const set = new WorkerSet({
    size: workers,
    spawn,
    listeners: [],
    startCommand: WORKER_START,
    ledger: new Ledger(["app"]),
    clock,
    log,
  });
  const started = set.start(workers);
  for (const worker of spawned) worker.ready();
  await started;
  const linesBefore = lines();
  const startMs = clock.now();
  let crashed = 0;
  for (let next = 0; crashed < crashes;) {
    const worker = spawned[next];
    if (worker === undefined) {
      clock.advance(STEP_MS);
    } else {
      // The first ones had been ready.
      if (next >= workers) worker.fail("The database is gone");
      worker.exit({ code: 1 });
      next += 1;
      crashed = Math.max(0, next - workers);
    }
    await settle();
  }
  return {
    crashes: crashed,
    lines: lines() - linesBefore,
    hours: (clock.now() - startMs) / 3_600_000,
  };
}

function countingLogger(): { readonly log: Logger; readonly lines: () => number } {
  let count = 0;
  const add = (): void => void (count += 1);
  const log: Logger = { ...silentLogger, info: add, warn: add, error: add, fatal: add };
  return { log, lines: () => count };
}
