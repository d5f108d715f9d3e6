import type { ErrorDescription, OutriggerError } from "../errors.ts";
import type { Clock } from "../lifecycle/deadline.ts";
import { createDeferred } from "../lifecycle/deferred.ts";
import type { Listener } from "../listener/listener.ts";
import type { LoadReport, Report, ShedOrder, StartCommand, WorkerSnapshot } from "../protocol.ts";
import type { WorkerState } from "../snapshot.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import type { BlockedStack } from "./blocked-stack.ts";
import { explainFailure } from "./worker-failure.ts";
import { WorkerNumbers } from "./worker-numbers.ts";
import type { SpawnWorker, WorkerExit, WorkerProcess } from "./worker-process.ts";

/** How long a worker may take past its deadline before it is killed; its app's shutdown hook has 500 ms of it. */
const KILL_MARGIN_MS = 800;

export interface WorkerHandleOptions {
  readonly slot: number;
  readonly spawn: SpawnWorker;
  readonly listeners: readonly Listener[];
  readonly onChange: (handle: WorkerHandle) => void;
  readonly onSnapshot?: (handle: WorkerHandle) => void;
  readonly onLoad?: (handle: WorkerHandle, load: LoadReport) => void;
  readonly clock: Clock;
}

/** The supervisor's view of one worker: its state, what it is told, how it ended. No policy. */
export class WorkerHandle {
  readonly slot: number;
  /** Resolves when it is gone. */
  readonly exited: Promise<WorkerExit>;
  readonly #options: WorkerHandleOptions;
  readonly #clock: Clock;
  readonly #process: WorkerProcess;
  readonly #numbers: WorkerNumbers;
  readonly #ready = createDeferred<void>();
  readonly #exited = createDeferred<WorkerExit>();
  #state: WorkerState = "spawned";
  /** What it, or we, said of its failure. */
  #told: ErrorDescription | undefined;
  #app = "";
  #exit: WorkerExit | undefined;
  #readyAtMs: number | undefined;
  #heardAtMs: number;
  #wasKilled = false;
  #cancelKill: (() => void) | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;

  constructor(options: WorkerHandleOptions) {
    this.slot = options.slot;
    this.exited = this.#exited.promise;
    this.#options = options;
    this.#clock = options.clock;
    this.#heardAtMs = this.#clock.now();
    this.#process = options.spawn(options.listeners, {
      report: (report) => this.#hear(report),
      exited: (exit) => this.#end(exit),
    });
    this.#numbers = new WorkerNumbers(this.#process);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** The last numbers it sent, which cost nothing to look at. */
  get reported(): WorkerSnapshot | undefined {
    return this.#numbers.reported;
  }

  /** The last numbers it sent, or those of this instant where they are at hand: read anew each time. */
  get snapshot(): WorkerSnapshot | undefined {
    return this.#numbers.read();
  }

  /** Connections it had to cut while draining; all it had when it was killed, which is one at least. */
  forcedAsOf(snapshot: WorkerSnapshot | undefined = this.snapshot): number {
    return this.#numbers.forcedIn(snapshot, { wasKilled: this.#wasKilled });
  }

  /** It did not end by itself: we sent SIGKILL. */
  get wasKilled(): boolean {
    return this.#wasKilled;
  }

  /** When it reported last, or was spawned, in milliseconds since the epoch. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** Time since it reported last, or since it was spawned. */
  get silentForMs(): number {
    return this.#clock.now() - this.#heardAtMs;
  }

  /** How it ended; undefined while it runs. */
  get exit(): WorkerExit | undefined {
    return this.#exit;
  }

  get hasBeenReady(): boolean {
    return this.#readyAtMs !== undefined;
  }

  /** How long it has been ready, or was. */
  get livedMs(): number {
    return this.#readyAtMs === undefined ? 0 : this.#clock.now() - this.#readyAtMs;
  }

  /** Why it did not become ready, in a sentence; the app's own error is its cause. */
  get failure(): OutriggerError {
    const { slot, exit, hasBeenReady } = this;
    return explainFailure({ slot, app: this.#app, told: this.#told, exit, hasBeenReady });
  }

  /** Tells it to serve; resolves when it accepts on every listener, rejects when it ends before. */
  start(
    command: Omit<StartCommand, "type" | "slot" | "listeners" | "counterDescriptor">,
  ): Promise<void> {
    this.#app = command.config.app;
    this.#enter("starting");
    this.#process.send({
      type: "start",
      slot: this.slot,
      listeners: this.#process.grants,
      counterDescriptor: this.#process.counters?.descriptor,
      ...command,
    });
    return this.#ready.promise;
  }

  /** Asks for fresh numbers; resolves when they are here, or the worker is gone. */
  report(): Promise<void> {
    if (this.#state === "exited") return Promise.resolve();
    const { id, answered } = this.#numbers.ask();
    this.#process.send({ type: "report", id });
    return answered;
  }

  /** Asks how many connections it has open. */
  askLoad(): void {
    this.#process.send({ type: "report-load" });
  }

  /** Lets it accept on an endpoint until so many connections are open. */
  limit(endpoint: string, limit: number): void {
    this.#process.send({ type: "limit", endpoint, limit });
  }

  /** Gives it the listener of an endpoint again. */
  reopen(endpoint: string, limit: number): void {
    this.#process.reopen(endpoint, limit);
  }

  /** Reads where its loop is held up, within 3 s. */
  async readStack(): Promise<BlockedStack> {
    const { unreadable } = this.reported ?? { unreadable: "it has not reported yet" };
    if (unreadable !== undefined) return { kind: "unknown", reason: unreadable };
    const stack = await this.#process.readStack?.();
    return stack ?? { kind: "unknown", reason: "it is no process of its own" };
  }

  /** Lets some connections of an endpoint end. */
  shed(endpoint: string, order: ShedOrder): void {
    this.#process.send({ type: "shed", endpoint, ...order });
  }

  /** Gives it new credentials of an endpoint, also while it starts. */
  renew(endpoint: string, credentials: TlsCredentials): void {
    this.#process.send({ type: "renew", endpoint, credentials });
  }

  /** From now on its responses say `Connection: close`. */
  announceClose(): void {
    this.#process.send({ type: "announce-close" });
  }

  /** Lets it finish until the deadline; a little later it is killed. Called again, only an earlier deadline counts. */
  drain(deadlineMs: number): Promise<WorkerExit> {
    if (this.#state === "exited") return this.exited;
    this.#enter("draining");
    this.#process.send({ type: "drain", deadlineMs });
    if (deadlineMs < this.#deadlineMs) {
      this.#deadlineMs = deadlineMs;
      this.#cancelKill?.();
      const killInMs = deadlineMs - this.#clock.now() + KILL_MARGIN_MS;
      this.#cancelKill = this.#clock.after(killInMs, () => this.kill());
    }
    return this.exited;
  }

  /** Ends it at once. */
  kill(): void {
    this.#wasKilled = true;
    this.#process.kill();
  }

  /** Kills it because it did not become ready in time, and returns that in a sentence. */
  giveUp(limit: string): OutriggerError {
    this.#told ??= { message: `Worker ${this.slot} was not ready within ${limit}` };
    this.kill();
    return this.failure;
  }

  #hear(report: Report): void {
    this.#heardAtMs = this.#clock.now();
    switch (report.type) {
      case "ready":
        if (this.#state !== "starting") return;
        this.#readyAtMs = this.#clock.now();
        this.#enter("ready");
        this.#ready.resolve();
        return;
      case "failed":
        this.#told = report.error;
        return;
      case "snapshot":
        this.#numbers.note(report.snapshot, report.answers);
        this.#options.onSnapshot?.(this);
        return;
      case "load":
        this.#options.onLoad?.(this, report);
        return;
      case "drained":
        this.#numbers.noteDrained(report.snapshot, report.forced);
        return;
    }
  }

  #end(exit: WorkerExit): void {
    this.#cancelKill?.();
    this.#numbers.close();
    this.#exit = exit;
    this.#enter("exited");
    this.#ready.reject(this.failure);
    this.#exited.resolve(exit);
  }

  #enter(state: WorkerState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onChange(this);
  }
}
