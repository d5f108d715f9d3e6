import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { canEnter, PHASES, type Phase } from "../../src/lifecycle/phase.ts";

describe("canEnter", () => {
  const arrows = PHASES.flatMap((from) =>
    PHASES.filter((to) => canEnter(from, to)).map((to) => `${from} -> ${to}`),
  );

  it("allows these transitions and no other", () => {
    assert.deepEqual(arrows, [
      "starting -> ready",
      "starting -> draining",
      "starting -> stopped",
      "ready -> draining",
      "draining -> stopped",
    ]);
  });

  it("never goes backwards", () => {
    for (const from of PHASES)
      for (const to of PHASES)
        if (canEnter(from, to)) assert.ok(PHASES.indexOf(to) > PHASES.indexOf(from));
  });

  it("leads every walk to stopped, in three steps at most", () => {
    const walks = (from: Phase): Phase[][] => {
      const next = PHASES.filter((to) => canEnter(from, to));
      return next.length === 0 ? [[from]] : next.flatMap(walks).map((walk) => [from, ...walk]);
    };
    for (const walk of PHASES.flatMap(walks)) {
      assert.equal(walk.at(-1), "stopped");
      assert.ok(walk.length <= PHASES.length);
    }
  });
});
