import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EndpointCounters } from "../../src/counters.ts";
import type { WorkerSnapshot } from "../../src/protocol.ts";
import { Ledger } from "../../src/supervisor/ledger.ts";
import { forAll } from "../helpers/for-all.ts";
import { workerSnapshot } from "../helpers/fake-workers.ts";

/** Three connections of which one was closed, two requests of which one has ended. */
function busy(counters: EndpointCounters): void {
  for (let index = 0; index < 3; index += 1) counters.countAccepted();
  counters.countClosed("client");
  counters.countStarted();
  counters.countWebSocketOpened();
  counters.countStarted();
  counters.countFinished("GET", 200, 0.1);
}

describe("Ledger", () => {
  it("adds up the living", () => {
    const total = new Ledger(["app"]).total("app", [
      workerSnapshot(busy),
      undefined,
      workerSnapshot(busy),
    ]);
    assert.deepEqual([total.accepted, total.open, total.inFlight], [6, 4, 2]);
  });

  it("keeps what the dead have counted, and closes what they had open", () => {
    const ledger = new Ledger(["app"]);
    ledger.retire({ slot: 0, snapshot: workerSnapshot(busy) }, "worker_lost");
    const total = ledger.total("app", [workerSnapshot(busy)]);
    assert.deepEqual([total.accepted, total.open, total.inFlight], [6, 2, 1]);
    assert.deepEqual([total.closed("client"), total.closed("worker_lost")], [2, 2]);
    assert.equal(total.webSockets, 1);
    assert.equal(total.durations()[0]?.count, 2);
  });

  it("says why they were closed", () => {
    const ledger = new Ledger(["app"]);
    ledger.retire({ slot: 0, snapshot: workerSnapshot(busy) }, "forced");
    assert.equal(ledger.total("app", []).closed("forced"), 2);
  });

  it("does not touch the snapshot of a worker it retires", () => {
    const snapshot = workerSnapshot(busy);
    const before = structuredClone(snapshot);
    new Ledger(["app"]).retire({ slot: 0, snapshot }, "worker_lost");
    assert.deepEqual(snapshot, before);
  });

  it("has nothing to keep of a worker that never reported", () => {
    const ledger = new Ledger(["app"]);
    ledger.retire({ slot: 0, snapshot: undefined }, "worker_lost");
    assert.equal(ledger.total("app", []).accepted, 0);
  });

  it("never lets a total fall, in whatever order workers end", () => {
    const worker = (seconds: number): WorkerSnapshot =>
      workerSnapshot((counters) => {
        for (let index = 0; index < 10; index += 1) {
          counters.countAccepted();
          counters.countStarted();
          counters.countFinished("GET", 200, seconds);
        }
      });
    // Sums that a different order of adding up would change in their last digit.
    const snapshots = [0.1, 0.2, 0.3, 0.7, 1.1, 1e-4].map(worker);
    for (let first = 0; first < snapshots.length; first += 1) {
      const ledger = new Ledger(["app"]);
      const living = [...snapshots.slice(first), ...snapshots.slice(0, first)];
      const sums = [ledger.total("app", living).durations()[0]?.sumSeconds];
      for (let last = living.pop(); last !== undefined; last = living.pop()) {
        ledger.retire({ slot: 0, snapshot: last }, "worker_lost");
        const total = ledger.total("app", living);
        sums.push(total.durations()[0]?.sumSeconds);
        assert.equal(total.accepted, 60);
      }
      assert.equal(new Set(sums).size, 1, JSON.stringify(sums));
    }
  });

  it("is exact and never lets a total fall, however reports and ends follow each other", () =>
    forAll({
      cases: 200,
      draw: ({ list, below, is }) =>
        list(60, () => ({
          worker: below(4),
          isEnd: is(0.2),
          accepted: below(9),
          answered: below(9),
        })),
      check(steps) {
        const ledger = new Ledger(["app"]);
        const living = new Map<number, EndpointCounters>();
        const real = { accepted: 0, answered: 0 };
        let before = new EndpointCounters();
        for (const { worker, isEnd, accepted, answered } of steps) {
          const counters = living.get(worker) ?? new EndpointCounters();
          for (let count = 0; count < accepted; count += 1) counters.countAccepted();
          for (let count = 0; count < answered; count += 1) counters.countStarted();
          for (let count = 1; count < answered; count += 1) counters.countFinished("GET", 200, 0.1);
          real.accepted += accepted;
          real.answered += Math.max(answered - 1, 0);
          const snapshot = { ...workerSnapshot(), counters: { app: counters.slots } };
          if (isEnd) ledger.retire({ slot: worker, snapshot }, "worker_lost");
          if (isEnd) living.delete(worker);
          else living.set(worker, counters);
          const others = [...living.values()].map(({ slots }) => ({
            ...workerSnapshot(),
            counters: { app: slots },
          }));
          const total = ledger.total("app", others);
          const open = [...living.values()].reduce((sum, one) => sum + one.open, 0);
          const inFlight = [...living.values()].reduce((sum, one) => sum + one.inFlight, 0);
          assert.deepEqual(
            [total.accepted, total.answered, total.open, total.inFlight],
            [real.accepted, real.answered, open, inFlight],
          );
          assert.ok(total.slots.every((count, at) => count >= (before.slots[at] ?? 0)));
          before = total;
        }
      },
    }));

  it("takes what a dead worker had not recognized yet for clients", () => {
    const ledger = new Ledger(["app"]);
    ledger.retire(
      { slot: 0, snapshot: workerSnapshot((counters) => counters.countArrived()) },
      "worker_lost",
    );
    const total = ledger.total("app", []);
    assert.deepEqual([total.accepted, total.closed("worker_lost"), total.open], [1, 1, 0]);
  });

  it("adds the processor time of a slot's dead to that of its workers", () => {
    const ledger = new Ledger(["app"]);
    ledger.retire({ slot: 0, snapshot: workerSnapshot(() => {}, 2) }, "worker_lost");
    ledger.retire({ slot: 1, snapshot: workerSnapshot(() => {}, 50) }, "worker_lost");
    const own = workerSnapshot(() => {}, 1);
    const elder = workerSnapshot(() => {}, 4);
    const alone = ledger.processOf(0, own, [own]);
    assert.deepEqual([alone.cpuUserSeconds, alone.cpuSystemSeconds], [3, 1]);
    // While a worker is replaced two of them share a slot, and a series.
    const both = ledger.processOf(0, own, [elder, own]);
    assert.deepEqual([both.cpuUserSeconds, both.cpuSystemSeconds], [7, 1.5]);
  });
});
