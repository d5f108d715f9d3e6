import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DEFAULTS } from "../../../src/config/config.ts";
import type { Listener } from "../../../src/listener/listener.ts";
import { NOTHING_FOUND } from "../../../src/listener/listener.ts";
import { silentLogger, type Logger } from "../../../src/log/logger.ts";
import { Ledger } from "../../../src/supervisor/ledger.ts";
import type { SpawnWorker } from "../../../src/supervisor/worker-process.ts";
import { WorkerSet } from "../../../src/supervisor/worker-set.ts";
import type { WorkerStart } from "../../../src/supervisor/worker-slot.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { WORKER_START } from "../../helpers/fake-workers.ts";
import { seededRandom } from "../../helpers/random.ts";
import { ENDPOINT, ModelWorker } from "./worker.ts";

export interface WorldOptions {
  readonly size: number;
  /** Workers that have to be ready for the start to succeed. */
  readonly atLeast: number;
  /** Requests after which a worker is replaced; 0 is never. */
  readonly maxRequests: number;
  /** Jitter. */
  readonly seed: number;
}

/** Something the operator asked for. */
export interface Operation {
  readonly name: string;
  readonly askedAtMs: number;
  outcome: "pending" | "done" | "refused";
}

/** A set of workers, the workers as they really are, and what was asked of the set. */
export class World {
  readonly clock: FakeClock = new FakeClock();
  readonly ledger: Ledger = new Ledger([ENDPOINT]);
  readonly workers: ModelWorker[] = [];
  readonly set: WorkerSet;
  readonly operations: Operation[] = [];
  /** Log messages by worker. */
  readonly logged: Map<number, string[]> = new Map();
  /** What was done that must not be done, noticed where it was done. */
  readonly offences: string[] = [];
  /** Workers there should be. */
  wanted: number;
  start: Operation;
  drain: Operation | undefined;
  drainDeadlineMs: number = Number.POSITIVE_INFINITY;
  hasAnnouncedClose = false;
  /** No process can be made. */
  isSpawnBroken = false;
  /** What the next worker is started with. */
  version = "1";
  /** What reloads that are under way are about to bring. */
  readonly nextVersions: Set<string> = new Set();
  /** A reload has failed midway, so that some workers are ahead of others. */
  isMixed = false;
  /** Workers taken away without a successor. */
  #retired = 0;
  #shrinks = 0;
  readonly #startedAtMs = new Map<ModelWorker, number>();
  readonly #maxRequests: number;

  constructor({ size, atLeast, maxRequests, seed }: WorldOptions) {
    this.wanted = size;
    this.#maxRequests = maxRequests;
    this.set = new WorkerSet({
      size,
      spawn: this.#spawn,
      listeners: [fakeListener(ENDPOINT)],
      startCommand: this.#startOf(this.version),
      ledger: this.ledger,
      log: this.#log(),
      clock: this.clock,
      random: seededRandom(seed),
    });
    this.start = this.#track("start", this.set.start(atLeast));
  }

  get living(): ModelWorker[] {
    return this.workers.filter(({ isAlive }) => isAlive);
  }

  get isServing(): boolean {
    return this.start.outcome === "done" && this.drain === undefined;
  }

  reload(): void {
    const version = String(Number([...this.nextVersions].at(-1) ?? this.version) + 1);
    this.nextVersions.add(version);
    const reloaded = this.set.replaceAll(this.#startOf(version)).then(
      () => (this.version = version),
      (error: unknown) => {
        this.isMixed = true;
        throw error;
      },
    );
    const ended = reloaded.finally(() => this.nextVersions.delete(version));
    this.#track("reload", ended);
  }

  grow(): void {
    this.#track(
      "grow",
      this.set.grow().then(() => (this.wanted += 1)),
    );
  }

  shrink(): void {
    this.#shrinks += 1;
    this.#track(
      "shrink",
      this.set.shrink().then(() => (this.wanted = Math.max(this.wanted - 1, 1))),
    );
  }

  report(withinMs: number): void {
    this.#track("report", this.set.reports.ask(withinMs));
  }

  announceClose(): void {
    this.hasAnnouncedClose = true;
    this.set.announceClose();
  }

  /** Drains, or moves the deadline of a drain nearer. */
  stop(graceMs: number): void {
    const deadlineMs = this.clock.now() + graceMs;
    if (this.drain === undefined) {
      this.drainDeadlineMs = deadlineMs;
      // Noted first, for the commands are sent at once.
      const { promise, resolve } = Promise.withResolvers<void>();
      this.drain = this.#track("drain", promise);
      void this.set.drain(deadlineMs).then(resolve);
    } else {
      this.drainDeadlineMs = Math.min(this.drainDeadlineMs, deadlineMs);
      this.set.hurry(deadlineMs);
    }
  }

  /** Lets everybody do what is to be done at this instant. */
  async settle(): Promise<void> {
    for (let isBusy = true; isBusy;) {
      await nextTurn();
      isBusy = this.workers.map((worker) => worker.obey()).some(Boolean);
    }
  }

  /** Lets time pass from timer to timer, and everybody act in between. */
  async advance(byMs: number, afterEach: () => void): Promise<void> {
    const endMs = this.clock.now() + byMs;
    for (let next = this.clock.nextMs; next !== undefined && next <= endMs;) {
      this.clock.advance(Math.max(next - this.clock.now(), 0));
      await this.settle();
      afterEach();
      next = this.clock.nextMs;
    }
    this.clock.advance(endMs - this.clock.now());
    await this.settle();
  }

  readonly #spawn: SpawnWorker = (_listeners, events) => {
    if (this.drain !== undefined) this.offences.push("a worker was spawned after the drain began");
    if (this.isSpawnBroken) throw new Error("no memory for another process");
    const worker = new ModelWorker(100 + this.workers.length, events);
    this.workers.push(worker);
    return {
      pid: worker.pid,
      grants: [],
      send: (command) => {
        worker.send(command);
        if (command.type === "start") this.#noteStart(worker);
        if (command.type === "drain") this.#noteDrain(worker, command.deadlineMs);
      },
      reopen: (endpoint, limit) => worker.send({ type: "reopen", endpoint, limit }),
      kill: () => this.#noteKill(worker),
    };
  };

  #noteStart(worker: ModelWorker): void {
    const { pid, version = "" } = worker;
    this.#startedAtMs.set(worker, this.clock.now());
    if (version === this.version || this.nextVersions.has(version)) return;
    this.offences.push(`worker ${pid} was started with version ${version}, not ${this.version}`);
  }

  /** A worker may be told to leave when all are, when another serves in its place, or when there is to be one less. */
  #noteDrain(worker: ModelWorker, deadlineMs: number): void {
    const isFirst = worker.deadlineMs === undefined;
    worker.deadlineMs = Math.min(worker.deadlineMs ?? Number.POSITIVE_INFINITY, deadlineMs);
    if (!isFirst || this.drain !== undefined) return;
    const isReplaced = this.workers.some(
      ({ slot, state }) => slot === worker.slot && state === "ready",
    );
    if (isReplaced) return;
    this.#retired += 1;
    if (this.#retired > this.#shrinks)
      this.offences.push(`worker ${worker.pid} was told to leave before another served`);
  }

  #noteKill(worker: ModelWorker): void {
    worker.isKilled = true;
    const startedForMs = this.clock.now() - (this.#startedAtMs.get(worker) ?? 0);
    if (worker.state === "starting" && startedForMs >= WORKER_START.config.startTimeoutMs) return;
    if (this.clock.now() < (worker.deadlineMs ?? Number.POSITIVE_INFINITY))
      this.offences.push(`worker ${worker.pid} was killed before its deadline`);
  }

  #track(name: string, promise: Promise<unknown>): Operation {
    const operation: Operation = { name, askedAtMs: this.clock.now(), outcome: "pending" };
    const settle = (outcome: Operation["outcome"]): void => {
      assert.equal(operation.outcome, "pending", `${name} settled twice`);
      operation.outcome = outcome;
    };
    promise.then(
      () => settle("done"),
      () => settle("refused"),
    );
    this.operations.push(operation);
    return operation;
  }

  #startOf(version: string): WorkerStart {
    const { config } = WORKER_START;
    const recycle = { ...config.recycle, maxRequests: this.#maxRequests };
    return { config: { ...config, recycle }, checkTarget: version };
  }

  #log(): Logger {
    const note = (fields: object, message: string): void => {
      if (!("pid" in fields) || typeof fields.pid !== "number") return;
      this.logged.set(fields.pid, [...(this.logged.get(fields.pid) ?? []), message]);
    };
    return { ...silentLogger, info: note, warn: note };
  }
}

function fakeListener(name: string): Listener {
  return {
    endpoint: {
      kind: "abstract",
      abstractName: name,
      name,
      backlog: 1,
      maxConnections: 0,
      limits: DEFAULTS.limits,
      proxyProtocol: "off",
    },
    address: `@${name}`,
    get socket(): never {
      throw new Error("The model has no socket");
    },
    connectTarget: { path: `\0${name}` },
    kernelName: undefined,
    problem: undefined,
    publish: () => Promise.resolve({ replacedStale: false }),
    guard: () => Promise.resolve(NOTHING_FOUND),
    withdraw: () => Promise.resolve(),
    letGo() {},
    close: () => Promise.resolve(),
    releaseSync() {},
  };
}
