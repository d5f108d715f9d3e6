import { resolveConfig } from "../../src/config/resolve.ts";
import { EndpointCounters } from "../../src/counters.ts";
import type { Command, WorkerSnapshot } from "../../src/protocol.ts";
import type { SpawnWorker, WorkerEvents, WorkerExit } from "../../src/supervisor/worker-process.ts";
import type { WorkerStart } from "../../src/supervisor/worker-slot.ts";
import { processFixture } from "./snapshot.ts";

/** What workers are started with where nobody looks at it. */
export const WORKER_START: WorkerStart = {
  config: resolveConfig({
    app: "./app.js",
    // Fakes report only when a test makes them.
    flags: { "worker-timeout": "0" },
    env: {},
    cwd: "/",
    cpuCount: 1,
    readFile: () => "{}",
  }),
  checkTarget: "/check",
};

/** A worker process whose life the test decides. */
export class FakeWorker {
  readonly pid: number;
  readonly commands: Command[] = [];
  kills = 0;
  readonly #events: WorkerEvents;

  constructor(pid: number, events: WorkerEvents) {
    this.pid = pid;
    this.#events = events;
  }

  /** Types of the commands it was sent. */
  get heard(): Command["type"][] {
    return this.commands.map(({ type }) => type);
  }

  ready(): void {
    this.#events.report({ type: "ready" });
  }

  fail(message: string): void {
    this.#events.report({ type: "failed", error: { message } });
  }

  report(snapshot: WorkerSnapshot, answers?: number): void {
    this.#events.report({
      type: "snapshot",
      snapshot,
      ...(answers === undefined ? {} : { answers }),
    });
  }

  drained(snapshot: WorkerSnapshot, forced: number): void {
    this.#events.report({ type: "drained", snapshot, forced });
  }

  exit(exit: Partial<WorkerExit> = {}): void {
    this.#events.exited({ code: 0, signal: null, ...exit });
  }
}

/** A `spawn` that only remembers whom it spawned. */
export function fakeSpawn(): { readonly spawn: SpawnWorker; readonly workers: FakeWorker[] } {
  const workers: FakeWorker[] = [];
  const spawn: SpawnWorker = (_listeners, events) => {
    const worker = new FakeWorker(100 + workers.length, events);
    workers.push(worker);
    return {
      pid: worker.pid,
      grants: [],
      send: (command) => void worker.commands.push(command),
      reopen: (endpoint, limit) => void worker.commands.push({ type: "reopen", endpoint, limit }),
      kill: () => void (worker.kills += 1),
    };
  };
  return { spawn, workers };
}

/** What a worker reports whose endpoint `app` was counted by `count`. */
export function workerSnapshot(
  count: (counters: EndpointCounters) => void = () => {},
  cpuUserSeconds: number = 1,
): WorkerSnapshot {
  const counters = new EndpointCounters();
  count(counters);
  return {
    counters: { app: counters.slots },
    health: undefined,
    process: processFixture({ cpuUserSeconds, cpuSystemSeconds: 0.5 }),
    loop: { activeMs: 0, idleMs: 0, iterations: 0, events: 0 },
  };
}
