import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Gate, type Load } from "../../src/worker/gate.ts";

const REPORT_INTERVAL_MS = 20;

interface Setup {
  readonly gate: Gate;
  readonly reports: Load[];
  readonly shuts: () => number;
  /** Lets the time pass after which changes are told. */
  readonly pass: () => void;
}

function setUp(t: TestContext, limit?: number): Setup {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const reports: Load[] = [];
  let shuts = 0;
  const gate = new Gate({
    shut: () => void (shuts += 1),
    report: (load) => void reports.push(load),
  });
  if (limit !== undefined) gate.limitTo(limit);
  const pass = (): void => t.mock.timers.tick(REPORT_INTERVAL_MS);
  return { gate, reports, shuts: () => shuts, pass };
}

describe("Gate", () => {
  it("has no limit unless it is told one", (t) => {
    const { gate, shuts } = setUp(t);
    for (let connections = 1; connections <= 10_000; connections += 1) gate.count(connections);
    assert.equal(shuts(), 0);
  });

  it("shuts in the very call that reaches the limit, and tells it at once", (t) => {
    const { gate, reports, shuts } = setUp(t, 3);
    gate.count(1);
    gate.count(2);
    assert.deepEqual([shuts(), reports], [0, []]);
    gate.count(3);
    assert.deepEqual([shuts(), reports], [1, [{ connections: 3, isShut: true }]]);
  });

  it("shuts once, however many come that had been accepted", (t) => {
    const { gate, shuts } = setUp(t, 1);
    for (const connections of [1, 2, 3, 2, 3]) gate.count(connections);
    assert.equal(shuts(), 1);
  });

  it("does not shut because a connection goes", (t) => {
    const { gate, shuts } = setUp(t, 5);
    for (const connections of [1, 2, 3, 4, 3]) gate.count(connections);
    assert.equal(shuts(), 0);
  });

  it("shuts at once when it is told a limit it has reached", (t) => {
    const { gate, shuts, reports } = setUp(t);
    for (const connections of [1, 2, 3]) gate.count(connections);
    gate.limitTo(4);
    assert.equal(shuts(), 0);
    gate.limitTo(3);
    assert.deepEqual([shuts(), reports], [1, [{ connections: 3, isShut: true }]]);
    gate.limitTo(2);
    assert.equal(shuts(), 1);
  });

  it("shuts again after it was opened", (t) => {
    const { gate, shuts, reports } = setUp(t, 1);
    gate.count(1);
    gate.reopened(2);
    gate.count(0);
    gate.count(1);
    assert.equal(shuts(), 1);
    gate.count(2);
    assert.equal(shuts(), 2);
    assert.deepEqual(reports.at(-1), { connections: 2, isShut: true });
  });

  it("gathers changes into one report", (t) => {
    const { gate, reports, pass } = setUp(t);
    for (const connections of [1, 2, 3, 2]) gate.count(connections);
    assert.deepEqual(reports, []);
    pass();
    assert.deepEqual(reports, [{ connections: 2, isShut: false }]);
  });

  it("reports nothing while the count stays as it is", (t) => {
    const { gate, reports, pass } = setUp(t);
    gate.count(1);
    pass();
    for (let round = 0; round < 20; round += 1) {
      gate.count(2);
      gate.count(1);
      pass();
    }
    assert.equal(reports.length, 1);
  });

  it("reports that a connection went while it is shut", (t) => {
    const { gate, reports, pass } = setUp(t, 2);
    gate.count(1);
    gate.count(2);
    gate.count(1);
    pass();
    assert.deepEqual(reports, [
      { connections: 2, isShut: true },
      { connections: 1, isShut: true },
    ]);
  });

  it("reports whenever it is asked", (t) => {
    const { gate, reports } = setUp(t);
    gate.report();
    gate.report();
    assert.deepEqual(reports, Array(2).fill({ connections: 0, isShut: false }));
  });

  it("neither shuts nor reports once it is stopped", (t) => {
    const { gate, reports, shuts, pass } = setUp(t, 3);
    gate.count(1);
    gate.stop();
    for (const connections of [2, 3, 4]) gate.count(connections);
    pass();
    assert.deepEqual([shuts(), reports], [0, []]);
  });
});
