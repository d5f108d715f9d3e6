import assert from "node:assert/strict";
import { EndpointCounters } from "../../../src/counters.ts";
import { readWorkers, viewWorkers } from "../../../src/supervisor/worker-views.ts";
import { WORKER_STATES, type WorkerState } from "../../../src/snapshot.ts";
import { ENDPOINT, type ModelWorker } from "./worker.ts";
import type { World } from "./world.ts";

/** A worker that does not end by its deadline is killed by then. */
const KILLED_WITHIN_MS = 1_000;
/** How long it may take to notice that the only open worker does not answer. */
const UNATTENDED_MS = 250;
const VIEWED_EVERY = 10;

/** Checks after every step what holds always; remembers what must not fall or go back. */
export class Invariants {
  readonly #world: World;
  #totals = new EndpointCounters();
  /** Workers whose share cannot change any more, and what they came to. */
  readonly #dead = new Set<ModelWorker>();
  readonly #shareOfDead = new EndpointCounters();
  readonly #states = new Map<number, WorkerState>();
  readonly #cpuOfSlot = new Map<number, number>();
  #unattendedSinceMs: number | undefined;
  #restarts = 0;
  #steps = 0;

  constructor(world: World) {
    this.#world = world;
  }

  check(): void {
    assert.deepEqual(this.#world.offences, []);
    this.#checkWorkers();
    this.#checkStates();
    this.#checkSlots();
    this.#checkLog();
    this.#checkKills();
    this.#checkOperations();
    this.#checkTotals();
    this.#checkProcessorTime();
    this.#checkGoodbyes();
    this.checkAttendance();
  }

  /** Holds between two timers, too: connections that come are accepted by somebody who answers. */
  checkAttendance(): void {
    const { workers, clock } = this.#world;
    const able = workers.filter((worker) => worker.state === "ready" && worker.isResponsive);
    const isAttended = able.length === 0 || able.some(({ isShut }) => !isShut);
    this.#unattendedSinceMs = isAttended ? undefined : (this.#unattendedSinceMs ?? clock.now());
    const forMs = clock.now() - (this.#unattendedSinceMs ?? clock.now());
    assert.ok(forMs <= UNATTENDED_MS, `every worker that answers has been shut for ${forMs} ms`);
  }

  /** The set knows those who live, and no others. */
  #checkWorkers(): void {
    const { set, living } = this.#world;
    const known = set.handles.map(({ pid }) => pid ?? -1).toSorted((a, b) => a - b);
    assert.deepEqual(
      known,
      living.map(({ pid }) => pid),
      "the set has the living workers",
    );
  }

  #checkStates(): void {
    const { set, workers } = this.#world;
    for (const { pid, state, slot } of set.handles) {
      const real = workers.find((worker) => worker.pid === pid);
      assert.deepEqual([slot, state], [real?.slot, real?.state], `worker ${pid}`);
      const before = this.#states.get(pid ?? -1) ?? "spawned";
      const isForward = WORKER_STATES.indexOf(state) >= WORKER_STATES.indexOf(before);
      assert.ok(isForward, `worker ${pid} went from ${before} to ${state}`);
      this.#states.set(pid ?? -1, state);
    }
  }

  /** One worker a slot, except for a single replacement that is under way. */
  #checkSlots(): void {
    const { set, living, wanted } = this.#world;
    assert.equal(set.size, wanted, "as many slots as were asked for");
    const staying = Map.groupBy(
      living.filter(({ state, isKilled }) => state !== "draining" && !isKilled),
      ({ slot }) => slot,
    );
    const extra = [...staying.values()].flatMap((workers) => workers.slice(1));
    assert.ok(extra.length <= 1, `more than one worker on top: ${describe(extra)}`);
    for (const [slot, workers] of staying) {
      const serving = workers.filter(({ state }) => state === "ready");
      assert.ok(serving.length <= 1, `two serve in slot ${slot}: ${describe(serving)}`);
    }
  }

  /** What is said of a worker is said once. */
  #checkLog(): void {
    const { logged, workers } = this.#world;
    for (const [pid, messages] of logged)
      assert.equal(new Set(messages).size, messages.length, `of worker ${pid}: ${messages.join()}`);
    for (const { pid, isAlive } of workers)
      assert.equal(logged.get(pid)?.includes("worker exited") ?? false, !isAlive, `exit of ${pid}`);
  }

  #checkKills(): void {
    const { clock, living } = this.#world;
    for (const { pid, deadlineMs = Number.POSITIVE_INFINITY, isKilled } of living) {
      if (clock.now() >= deadlineMs + KILLED_WITHIN_MS)
        assert.ok(isKilled, `worker ${pid} outlives its deadline`);
    }
  }

  #checkOperations(): void {
    const { operations, clock, drain, living, set } = this.#world;
    const late = operations.find(
      ({ name, outcome, askedAtMs }) =>
        name === "report" && outcome === "pending" && clock.now() >= askedAtMs + REPORT_WITHIN_MS,
    );
    assert.equal(late, undefined, "a report waits no longer than it may");
    if (drain !== undefined) assert.equal(drain.outcome === "done", living.length === 0, "drained");
    const restarts = Object.values(set.restarts).reduce((sum, count) => sum + count, 0);
    assert.ok(restarts >= this.#restarts, "restarts fell");
    this.#restarts = restarts;
    if (set.isStuck)
      assert.ok(
        living.every(({ state }) => state !== "ready"),
        "stuck, but serving",
      );
  }

  /** Totals never fall, and are what the workers said and what was taken from the dead. */
  #checkTotals(): void {
    const { ledger, set, workers } = this.#world;
    const total = ledger.total(
      ENDPOINT,
      set.handles.map(({ snapshot }) => snapshot),
    );
    const fallen = this.#totals.slots.findIndex((before, at) => (total.slots[at] ?? 0) < before);
    assert.equal(fallen, -1, `total ${fallen} fell`);
    this.#totals = total;
    const expected = this.#shareOfDead.copy();
    for (const worker of workers) {
      if (this.#dead.has(worker)) continue;
      const share = shareOf(worker);
      expected.add(share);
      if (worker.isAlive) continue;
      this.#dead.add(worker);
      this.#shareOfDead.add(share);
    }
    if (!total.slots.every((count, at) => count === expected.slots[at]))
      assert.deepEqual(summaryOf(total), summaryOf(expected));
    assert.equal(
      set.forcedAsOf(),
      workers.map(forcedOf).reduce((sum, count) => sum + count, 0),
    );
  }

  /** Workers of one slot share a series, which must not fall either. Views are costly: not at every step. */
  #checkProcessorTime(): void {
    this.#steps += 1;
    if (this.#steps % VIEWED_EVERY !== 0) return;
    const { set, ledger } = this.#world;
    for (const { slot, process } of viewWorkers(readWorkers(set.handles), ledger)) {
      if (process === undefined) continue;
      const before = this.#cpuOfSlot.get(slot) ?? 0;
      assert.ok(process.cpuUserSeconds >= before, `processor time of slot ${slot} fell`);
      this.#cpuOfSlot.set(slot, process.cpuUserSeconds);
    }
  }

  #checkGoodbyes(): void {
    const { hasAnnouncedClose, living } = this.#world;
    if (!hasAnnouncedClose) return;
    const rude = living.filter(
      (one) => one.state === "ready" && one.isResponsive && !one.saysGoodbye,
    );
    assert.deepEqual(describe(rude), "", "every worker says goodbye");
  }
}

/** How long workers may take to answer when the operator asks for numbers. */
export const REPORT_WITHIN_MS = 100;

/** What a worker brings into the totals: what it reported, closed and given up when it is gone. */
function shareOf({ reported, isAlive, isKilled }: ModelWorker): EndpointCounters {
  const share = reported?.copy() ?? new EndpointCounters();
  if (isAlive) return share;
  share.countClosed(isKilled ? "forced" : "worker_lost", share.open);
  share.abandonInFlight();
  return share;
}

function forcedOf({ cut, isKilled, reported }: ModelWorker): number {
  if (cut !== undefined) return cut;
  return isKilled ? Math.max(reported?.open ?? 0, 1) : 0;
}

function summaryOf(counters: EndpointCounters): unknown {
  const { accepted, open, inFlight, answered, slots } = counters;
  return { accepted, open, inFlight, answered, slots };
}

function describe(workers: readonly ModelWorker[]): string {
  return workers.map(({ pid, slot, state }) => `${pid} ${state} in slot ${slot}`).join(", ");
}
