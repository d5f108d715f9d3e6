import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FrameBudget } from "../../src/http/frame-budget.ts";

/** How many frames pass that come this far from each other. */
function passing(frames: number, intervalMs: number): number {
  const budget = new FrameBudget(0);
  let passed = 0;
  while (passed < frames && budget.spend((passed + 1) * intervalMs)) passed += 1;
  return passed;
}

describe("FrameBudget", () => {
  it("lets a burst pass, and no more", () => assert.equal(passing(100_000, 0), 5_000));

  it("lets frames pass for ever that come a thousand a second", () =>
    assert.equal(passing(100_000, 1), 100_000));

  it("ends what is faster than that, sooner or later", () =>
    assert.ok(passing(100_000, 0.5) < 11_000));

  it("saves up no more than a burst", () => {
    const budget = new FrameBudget(0);
    for (let sent = 0; sent < 5_000; sent += 1) assert.ok(budget.spend(1_000_000));
    assert.equal(budget.spend(1_000_000), false);
  });
});
