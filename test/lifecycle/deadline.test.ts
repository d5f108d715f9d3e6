import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  Deadline,
  settledBefore,
  settledWithin,
  systemClock,
} from "../../src/lifecycle/deadline.ts";
import { within } from "../helpers/deadline.ts";
import { FakeClock } from "../helpers/fake-clock.ts";

describe("Deadline", () => {
  it("comes when its time has passed", () => {
    const clock = new FakeClock();
    const deadline = new Deadline(1_000, clock);
    clock.advance(999);
    assert.equal(deadline.hasPassed, false);
    clock.advance(1);
    assert.deepEqual([deadline.hasPassed, deadline.signal.aborted], [true, true]);
  });

  it("comes earlier when it is shortened", () => {
    const clock = new FakeClock();
    const deadline = new Deadline(1_000, clock);
    deadline.shorten(200);
    assert.equal(deadline.atMs, clock.now() + 200);
    clock.advance(200);
    assert.equal(deadline.hasPassed, true);
  });

  it("may be infinitely far until it is moved nearer", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
    const deadline = new Deadline(Number.POSITIVE_INFINITY);
    deadline.shorten(Number.POSITIVE_INFINITY);
    // Further than a timer of Node reaches.
    t.mock.timers.tick(2 ** 31);
    assert.equal(deadline.hasPassed, false);
    deadline.shorten(1_000);
    assert.equal(deadline.atMs, Date.now() + 1_000);
    t.mock.timers.tick(1_000);
    assert.equal(deadline.hasPassed, true);
  });

  it("comes at once when nothing is left", () => {
    const deadline = new Deadline(1_000, new FakeClock());
    deadline.shorten(0);
    assert.equal(deadline.hasPassed, true);
  });

  it("is never put off, whatever it is told", () => {
    const clock = new FakeClock();
    let seed = 11;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const deadline = new Deadline(10_000, clock);
    for (let round = 0; round < 200 && !deadline.hasPassed; round += 1) {
      const before = deadline.atMs;
      deadline.shorten(random(20_000) + 1);
      assert.ok(deadline.atMs <= before);
      clock.advance(random(100));
    }
    const { atMs } = deadline;
    deadline.shorten(60_000);
    assert.equal(deadline.atMs, atMs);
    clock.advance(10_000);
    assert.equal(deadline.hasPassed, true);
    assert.equal(clock.pending, 0);
  });

  it("does not come any more once it was cleared", () => {
    const clock = new FakeClock();
    const deadline = new Deadline(1_000, clock);
    deadline.clear();
    clock.advance(5_000);
    assert.deepEqual([deadline.hasPassed, clock.pending], [false, 0]);
  });
});

describe("settledBefore", () => {
  const never = new AbortController().signal;

  it("is true for a promise that resolves", async () => {
    assert.equal(await settledBefore(Promise.resolve(), never), true);
  });

  it("is false when the signal aborts first, and when it had aborted", async () => {
    const pending = new Promise(() => {});
    const given = new AbortController();
    const settled = settledBefore(pending, given.signal);
    given.abort();
    assert.equal(await settled, false);
    assert.equal(await settledBefore(Promise.resolve(), AbortSignal.abort()), false);
  });

  it("rejects as the promise does", async () => {
    await assert.rejects(settledBefore(Promise.reject(new Error("no")), never), /no/);
  });
});

describe("settledWithin", () => {
  it("is true for a promise that resolves in time, false for one that does not", async () => {
    assert.equal(await settledWithin(Promise.resolve(), 10_000), true);
    assert.equal(await settledWithin(new Promise(() => {}), 1), false);
  });

  it("rejects as the promise does", async () => {
    await assert.rejects(settledWithin(Promise.reject(new Error("no")), 10_000), /no/);
  });
});

describe("systemClock", () => {
  it("waits no shorter for delays beyond what a timer can hold, and not at all for negative ones", async () => {
    let isEarly = false;
    const cancel = systemClock.after(2 ** 40, () => (isEarly = true));
    const { promise, resolve } = Promise.withResolvers<void>();
    systemClock.after(-5, resolve);
    await within(5_000, promise, "a timer whose time has passed");
    cancel();
    assert.equal(isEarly, false);
  });
});
