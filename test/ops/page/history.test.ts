import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { History } from "../../../src/ops/page/history.ts";
import { answer, timeAt } from "./answers.ts";

/** A history with ten requests a second. */
function steady(from: number, to: number): History {
  const history = new History();
  for (let at = from; at <= to; at += 1) history.add(at10(at));
  return history;
}

const at10 = (at: number): ReturnType<typeof answer> => answer({ at, buckets: [at * 10, 0, 0, 0] });

describe("History", () => {
  it("knows nothing from one answer", () => {
    const history = steady(0, 0);
    assert.equal(history.recent(), undefined);
    assert.deepEqual(history.moments(), []);
  });

  it("takes figures from the last ten seconds", () => {
    const recent = steady(0, 60).recent("app");
    assert.deepEqual([recent?.seconds, recent?.requests], [10, 100]);
  });

  it("keeps a little more than two minutes", () => {
    assert.equal(steady(0, 1000).moments().length, 125);
  });

  it("has a gap where nobody asked for a while", () => {
    const history = steady(0, 2);
    history.add(at10(30));
    history.add(at10(31));
    assert.deepEqual(
      history.moments("app").map(({ traffic }) => traffic?.requests),
      [10, 10, undefined, 10],
    );
  });

  it("begins anew after a restart, without a negative rate", () => {
    const history = steady(0, 5);
    const restarted = (at: number, count: number): ReturnType<typeof answer> =>
      answer({ at, buckets: [count, 0, 0, 0], overrides: { started_at: timeAt(5.5) } });
    history.add(restarted(6, 0));
    assert.equal(history.recent(), undefined);
    history.add(restarted(7, 3));
    assert.equal(history.recent()?.requests, 3);
    assert.deepEqual(
      history.moments().map(({ traffic }) => traffic?.requests),
      [10, 10, 10, 10, 10, undefined, 3],
    );
  });

  it("goes on when the clock of the server is set back", () => {
    const history = steady(100, 105);
    history.add(at10(50));
    history.add(at10(51));
    assert.equal(history.recent()?.requests, 10);
  });
});
