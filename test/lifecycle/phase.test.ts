import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { canEnter, PHASES } from "../../src/lifecycle/phase.ts";

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
});
