import assert from "node:assert/strict";
import { EndpointCounters } from "../../../src/counters.ts";
import type { Command, StartCommand, WorkerSnapshot } from "../../../src/protocol.ts";
import type { WorkerState } from "../../../src/snapshot.ts";
import type { WorkerEvents, WorkerExit } from "../../../src/supervisor/worker-process.ts";
import { processFixture } from "../../helpers/snapshot.ts";

/** The one endpoint of the model. */
export const ENDPOINT = "app";

/** A worker process as a real one behaves, except that chance decides what happens to it. */
export class ModelWorker {
  readonly pid: number;
  readonly #events: WorkerEvents;
  readonly #counters = new EndpointCounters();
  #inbox: Command[] = [];
  #start: StartCommand | undefined;
  #hasReportedReady = false;
  #limit = Number.POSITIVE_INFINITY;
  #untilReport = 0;
  #inFlight = 0;
  #cpuSeconds = 0;
  /** What it told its supervisor of its counters last. */
  reported: EndpointCounters | undefined;
  /** Connections it said that it had to cut. */
  cut: number | undefined;
  /** Its copy of the listener is closed. */
  isShut = false;
  /** It is stuck in a loop: hears nothing, says nothing. */
  isHung = false;
  /** It has been told to finish until then; undefined while it may stay. */
  deadlineMs: number | undefined;
  isKilled = false;
  exit: WorkerExit | undefined;
  /** It knows that it is to say goodbye on every response. */
  saysGoodbye = false;

  constructor(pid: number, events: WorkerEvents) {
    this.pid = pid;
    this.#events = events;
  }

  /** What its supervisor has to believe. */
  get state(): WorkerState {
    if (this.exit !== undefined) return "exited";
    if (this.deadlineMs !== undefined) return "draining";
    if (this.#hasReportedReady) return "ready";
    return this.#start === undefined ? "spawned" : "starting";
  }

  get hasBeenReady(): boolean {
    return this.#hasReportedReady;
  }

  get slot(): number | undefined {
    return this.#start?.slot;
  }

  /** Which version of the settings it was started with. */
  get version(): string | undefined {
    return this.#start?.checkTarget;
  }

  get isAlive(): boolean {
    return this.exit === undefined;
  }

  /** It does what it is told and reports what it does. */
  get isResponsive(): boolean {
    return this.isAlive && !this.isHung && !this.isKilled;
  }

  /** Its supervisor has all it has counted. */
  get isUpToDate(): boolean {
    const { reported } = this;
    return (
      reported !== undefined && this.#counters.slots.every((n, at) => n === reported.slots[at])
    );
  }

  /** Takes a command in; it is carried out when its turn comes. */
  send(command: Command): void {
    if (command.type === "start") this.#start = command;
    this.#inbox.push(command);
  }

  /** Carries out what it was told; false when there was nothing. */
  obey(): boolean {
    if (!this.isResponsive) return false;
    const commands = this.#inbox;
    this.#inbox = [];
    for (const command of commands) this.#obey(command);
    return commands.length > 0;
  }

  ready(): void {
    this.#hasReportedReady = true;
    this.#untilReport = this.#start?.reportAfterRequests ?? 0;
    this.#events.report({ type: "ready" });
  }

  fail(): void {
    this.#events.report({ type: "failed", error: { message: "no such module" } });
  }

  /** Takes connections until its gate shuts. */
  accept(connections: number): void {
    for (let taken = 0; taken < connections && !this.isShut; taken += 1) {
      this.#counters.countAccepted();
      if (this.#counters.open >= this.#limit) this.isShut = true;
    }
    this.#reportLoad();
  }

  close(connections: number): void {
    this.#counters.countClosed("client", Math.min(connections, this.#counters.open));
    this.#reportLoad();
  }

  begin(requests: number): void {
    this.#inFlight += requests;
    for (let begun = 0; begun < requests; begun += 1) this.#counters.countStarted();
  }

  finish(requests: number): void {
    const finished = Math.min(requests, this.#inFlight);
    this.#inFlight -= finished;
    this.#cpuSeconds += finished / 1_000;
    for (let index = 0; index < finished; index += 1) {
      this.#counters.countFinished("GET", 200, 0.001 * index);
      this.#untilReport -= 1;
      if (this.#untilReport === 0) this.push();
    }
  }

  push(): void {
    this.#events.report({ type: "snapshot", snapshot: this.#snapshot() });
  }

  /** Says that it has finished, with so many connections cut. */
  drained(cut: number): void {
    this.finish(Number.POSITIVE_INFINITY);
    this.cut = Math.min(cut, this.#counters.open);
    this.#counters.countClosed("forced", this.cut);
    this.#counters.countClosed("client", this.#counters.open);
    this.#events.report({ type: "drained", snapshot: this.#snapshot(), forced: this.cut });
  }

  end(exit: Partial<WorkerExit>): void {
    this.exit = { code: null, signal: null, ...exit };
    this.#events.exited(this.exit);
  }

  #obey(command: Command): void {
    switch (command.type) {
      case "report":
        this.#events.report({ type: "snapshot", snapshot: this.#snapshot(), answers: command.id });
        return;
      case "report-load":
        this.#reportLoad();
        return;
      case "limit":
        this.#limit = command.limit;
        return;
      case "reopen":
        this.#limit = command.limit;
        this.isShut = false;
        return;
      case "announce-close":
        // One that does not serve yet has no response to say it on.
        if (this.#hasReportedReady) this.saysGoodbye = true;
        return;
      case "start":
      case "drain":
        assert.equal(command === this.#start || command.type === "drain", true, "started twice");
        return;
    }
  }

  #reportLoad(): void {
    const { open: connections } = this.#counters;
    this.#events.report({ type: "load", endpoint: ENDPOINT, connections, isShut: this.isShut });
  }

  #snapshot(): WorkerSnapshot {
    this.reported = this.#counters.copy();
    return {
      counters: { [ENDPOINT]: this.reported.copy().slots },
      health: undefined,
      process: processFixture({ cpuUserSeconds: this.#cpuSeconds, cpuSystemSeconds: 0 }),
      loop: { activeMs: 0, idleMs: 0, iterations: 0, events: 0 },
    };
  }
}
