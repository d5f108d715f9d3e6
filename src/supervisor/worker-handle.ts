import { OutriggerError, type ErrorDescription } from "../errors.ts";
import { systemClock, type Clock } from "../lifecycle/deadline.ts";
import { createDeferred } from "../lifecycle/deferred.ts";
import type { Listener } from "../listener/listener.ts";
import type { LoadReport, Report, ShedOrder, StartCommand, WorkerSnapshot } from "../protocol.ts";
import type { WorkerState } from "../snapshot.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import { addUpCounts } from "./add-up-counts.ts";
import type { BlockedStack } from "./blocked-stack.ts";
import { latestOf } from "./counter-page.ts";
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
  readonly clock?: Clock;
}

/** The supervisor's view of one worker: its state, what it reported last, how it ended. No policy. */
export class WorkerHandle {
  readonly slot: number;
  readonly #process: WorkerProcess;
  readonly #onChange: (handle: WorkerHandle) => void;
  readonly #onSnapshot: ((handle: WorkerHandle) => void) | undefined;
  readonly #onLoad: WorkerHandleOptions["onLoad"];
  readonly #clock: Clock;
  readonly #ready = createDeferred<void>();
  readonly #exited = createDeferred<WorkerExit>();
  readonly #answers = new Map<number, () => void>();
  #state: WorkerState = "spawned";
  #snapshot: WorkerSnapshot | undefined;
  #failure: ErrorDescription | undefined;
  #app = "";
  #exit: WorkerExit | undefined;
  #readyAtMs: number | undefined;
  #heardAtMs: number;
  /** As it told itself when it had drained. */
  #forced: number | undefined;
  #wasKilled = false;
  #lastReportId = 0;
  #cancelKill: (() => void) | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;

  constructor(options: WorkerHandleOptions) {
    this.slot = options.slot;
    this.#onChange = options.onChange;
    this.#onSnapshot = options.onSnapshot;
    this.#onLoad = options.onLoad;
    this.#clock = options.clock ?? systemClock;
    this.#heardAtMs = this.#clock.now();
    this.#process = options.spawn(options.listeners, {
      report: (report) => this.#hear(report),
      exited: (exit) => this.#end(exit),
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** The last numbers it sent, which cost nothing to look at. */
  get reported(): WorkerSnapshot | undefined {
    return this.#snapshot;
  }

  /** The last numbers it sent, or those of this instant where they are at hand: read anew each time. */
  get snapshot(): WorkerSnapshot | undefined {
    if (this.#state === "exited") return this.#snapshot;
    return this.#process.snapshot?.() ?? this.#readCounts(this.#snapshot);
  }

  /** Connections it had to cut while draining; all it had when it was killed, which is one at least. */
  get forced(): number {
    return this.forcedAsOf(this.snapshot);
  }

  /** The same, from numbers that were read already. */
  forcedAsOf(snapshot: WorkerSnapshot | undefined): number {
    if (this.#forced !== undefined) return this.#forced;
    if (this.#wasKilled)
      return Math.max(
        addUpCounts(snapshot, ({ open }) => open),
        1,
      );
    return addUpCounts(snapshot, (counters) => counters.closed("forced"));
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

  /** Resolves when it is gone. */
  get exited(): Promise<WorkerExit> {
    return this.#exited.promise;
  }

  /** Why it did not become ready, in a sentence; the app's own error is its cause. */
  get failure(): OutriggerError {
    if (this.#failure === undefined) {
      const how = describeExit(this.#exit);
      const when = this.hasBeenReady ? "before enough others were ready" : "before it was ready";
      return new OutriggerError("ERR_WORKER", `Worker ${this.slot} ${how} ${when}`);
    }
    const { message, stack } = this.#failure;
    if (stack === undefined) return new OutriggerError("ERR_WORKER", message);
    const cause = Object.assign(new Error(message), { stack });
    return new OutriggerError("ERR_WORKER", `Cannot start app "${this.#app}": ${message}`, {
      cause,
    });
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
    const answered = createDeferred<void>();
    const id = (this.#lastReportId += 1);
    this.#answers.set(id, answered.resolve);
    this.#process.send({ type: "report", id });
    return answered.promise;
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
    if (this.#snapshot === undefined) return { kind: "unknown", reason: "it has not reported yet" };
    const { unreadable } = this.#snapshot;
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
    if (this.#state !== "exited") {
      this.#enter("draining");
      this.#process.send({ type: "drain", deadlineMs });
      if (deadlineMs < this.#deadlineMs) this.#killAfter(deadlineMs);
    }
    return this.exited;
  }

  #killAfter(deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
    this.#cancelKill?.();
    const killInMs = deadlineMs - this.#clock.now() + KILL_MARGIN_MS;
    this.#cancelKill = this.#clock.after(killInMs, () => this.kill());
  }

  /** Ends it at once. */
  kill(): void {
    this.#wasKilled = true;
    this.#process.kill();
  }

  /** Kills it because it did not become ready in time, and returns that in a sentence. */
  giveUp(limit: string): OutriggerError {
    this.#failure ??= { message: `Worker ${this.slot} was not ready within ${limit}` };
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
        this.#failure = report.error;
        return;
      case "snapshot":
        this.#snapshot = report.snapshot;
        this.#onSnapshot?.(this);
        if (report.answers !== undefined) this.#answer(report.answers);
        return;
      case "load":
        this.#onLoad?.(this, report);
        return;
      case "drained":
        this.#snapshot = report.snapshot;
        this.#forced = report.forced;
        return;
    }
  }

  /** The last report with the counts that the worker has written since. */
  #readCounts(reported: WorkerSnapshot | undefined): WorkerSnapshot | undefined {
    const { counters } = this.#process;
    if (reported === undefined || counters === undefined) return reported;
    return { ...reported, counters: latestOf(counters.page.read(), reported.counters) };
  }

  #answer(id: number): void {
    this.#answers.get(id)?.();
    this.#answers.delete(id);
  }

  #end(exit: WorkerExit): void {
    this.#cancelKill?.();
    for (const id of this.#answers.keys()) this.#answer(id);
    this.#snapshot = this.#readCounts(this.#snapshot);
    this.#process.counters?.page.close();
    this.#exit = exit;
    this.#enter("exited");
    this.#ready.reject(this.failure);
    this.#exited.resolve(exit);
  }

  #enter(state: WorkerState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#onChange(this);
  }
}

/** How a process ended, in words. */
function describeExit(exit: WorkerExit | undefined): string {
  const { code, signal } = exit ?? { code: null, signal: null };
  if (signal !== null) return `was killed by ${signal}`;
  return code === null ? "could not be spawned" : `exited with code ${code}`;
}
