import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CLOSE_REASONS, EndpointCounters, REJECT_REASONS } from "../src/counters.ts";
import { forAll } from "./helpers/for-all.ts";

describe("EndpointCounters", () => {
  it("tells how many WebSockets are open, and forgets those of a worker that is gone", () => {
    const counters = new EndpointCounters();
    for (let opened = 0; opened < 3; opened += 1) counters.countWebSocketOpened();
    counters.countWebSocketsClosed();
    assert.equal(counters.webSockets, 2);
    counters.countWebSocketsClosed(counters.webSockets);
    assert.equal(counters.webSockets, 0);
  });

  it("keeps every reason apart", () => {
    const counters = new EndpointCounters();
    for (const [index, reason] of CLOSE_REASONS.entries()) counters.countClosed(reason, index + 1);
    for (const reason of REJECT_REASONS) counters.countRejected(reason);
    assert.deepEqual(
      CLOSE_REASONS.map((reason) => counters.closed(reason)),
      CLOSE_REASONS.map((_, index) => index + 1),
    );
    assert.ok(REJECT_REASONS.every((reason) => counters.rejected(reason) === 1));
  });

  it("derives what is open and what is in flight", () => {
    const counters = new EndpointCounters();
    for (let index = 0; index < 5; index += 1) counters.countAccepted();
    counters.countClosed("client", 2);
    counters.countStarted();
    counters.countStarted();
    counters.countFinished("GET", 200, 0.001);
    assert.deepEqual([counters.accepted, counters.open, counters.inFlight], [5, 3, 1]);
    counters.abandonInFlight();
    assert.equal(counters.inFlight, 0);
  });

  it("tells of every change once", () => {
    let changes = 0;
    const counters = new EndpointCounters(undefined, () => (changes += 1));
    counters.countStarted();
    counters.countFinished("GET", 200, 0.001);
    assert.equal(changes, 2);
  });

  it("takes a connection for open before it is accepted, and a check for neither", () => {
    const counters = new EndpointCounters();
    const read = (): number[] => [counters.accepted, counters.open, counters.unrecognized];
    counters.countArrived();
    counters.countArrived();
    assert.deepEqual(read(), [0, 2, 2]);
    counters.countRecognized("check");
    assert.deepEqual(read(), [0, 1, 1]);
    counters.countRecognized("client");
    assert.deepEqual(read(), [1, 1, 0]);
  });

  it("adds up to the same, in whatever order", () => {
    const shares = [0.1, 0.2, 0.3, 1 / 3, 1e-7, 9.99].map((seconds) => {
      const counters = new EndpointCounters();
      for (let index = 0; index < 7; index += 1) counters.countFinished("GET", 200, seconds);
      return counters;
    });
    const sumOf = (order: readonly EndpointCounters[]): Float64Array => {
      const total = new EndpointCounters();
      for (const share of order) total.add(share);
      return total.slots;
    };
    assert.deepEqual(sumOf(shares), sumOf(shares.toReversed()));
    assert.deepEqual(sumOf(shares), sumOf(shares.toSorted(() => -1)));
  });

  it("adds slot by slot, in whatever order and grouping", () => {
    const { length } = new EndpointCounters().slots;
    const sum = (...parts: readonly EndpointCounters[]): EndpointCounters => {
      const total = new EndpointCounters();
      for (const part of parts) total.add(part);
      return total;
    };
    forAll({
      cases: 100,
      draw: ({ list, below }) =>
        list(3, () => new EndpointCounters(new Float64Array(list(length, () => below(2 ** 40))))),
      check([a = sum(), b = sum(), c = sum()]) {
        const slots = a.slots.map((n, at) => n + (b.slots[at] ?? 0) + (c.slots[at] ?? 0));
        for (const total of [sum(a, b, c), sum(c, a, b), sum(sum(a, b), c), sum(a, sum(b, c))])
          assert.deepEqual(total.slots, slots);
      },
    });
  });

  it("keeps what is open and in flight apart from what has ended, whatever is counted", () =>
    forAll({
      draw: ({ list, below }) => list(below(200), () => below(5)),
      check(steps) {
        const counters = new EndpointCounters();
        const real = { open: 0, inFlight: 0 };
        for (const step of steps) {
          if (step === 0) counters.countAccepted();
          if (step === 0) real.open += 1;
          if (step === 1 && real.open > 0) counters.countClosed("client");
          if (step === 1 && real.open > 0) real.open -= 1;
          if (step === 2) counters.countStarted();
          if (step === 2) real.inFlight += 1;
          if (step === 3 && real.inFlight > 0) counters.countFinished("GET", 200, 0.1);
          if (step === 3 && real.inFlight > 0) real.inFlight -= 1;
        }
        assert.deepEqual({ open: counters.open, inFlight: counters.inFlight }, real);
      },
    }));

  it("survives the way to another process", () => {
    const counters = new EndpointCounters();
    counters.countAccepted();
    counters.countFinished("POST", 404, 0.2);
    const arrived = new EndpointCounters(structuredClone(counters.slots));
    assert.deepEqual([arrived.accepted, arrived.durations()], [1, counters.durations()]);
  });

  it("catches up with a later copy of itself, and never falls", () => {
    const counters = new EndpointCounters();
    counters.countAccepted();
    const later = counters.copy();
    later.countClosed("client");
    counters.countStarted();
    counters.raiseTo(later);
    assert.deepEqual([counters.accepted, counters.open, counters.inFlight], [1, 0, 1]);
  });

  it("copies without sharing", () => {
    const counters = new EndpointCounters();
    const copy = counters.copy();
    counters.countAccepted();
    assert.equal(copy.accepted, 0);
  });
});
