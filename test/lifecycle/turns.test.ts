import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Turns } from "../../src/lifecycle/turns.ts";

describe("Turns", () => {
  it("runs steps in their order, also after one that fails", async () => {
    const turns = new Turns();
    const seen: number[] = [];
    const step = (number: number) => async (): Promise<void> => {
      await Promise.resolve();
      seen.push(number);
      if (number === 1) throw new Error("one");
    };
    const failing = turns.take(step(1));
    const last = turns.take(step(2));
    await assert.rejects(failing, /one/);
    await last;
    assert.deepEqual(seen, [1, 2]);
  });

  it("holds the others up until it is released", async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const before = turns.take(async () => void seen.push("before"));
    const release = await turns.hold();
    const after = turns.take(async () => void seen.push("after"));
    await before;
    seen.push("held");
    release();
    await after;
    assert.deepEqual(seen, ["before", "held", "after"]);
  });
});
