import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FRESH_ACCOUNT, isHopeless, planRestart } from "../../src/supervisor/restart-policy.ts";

/** Delays of workers that end one after the other, each after having lived so long. */
function delays(lives: readonly number[], random: () => number = () => 0): number[] {
  let account = FRESH_ACCOUNT;
  return lives.map((livedMs) => {
    const plan = planRestart(account, livedMs, random());
    account = plan.account;
    return plan.delayMs;
  });
}

const SHORT_LIVES = Array.from({ length: 40 }, () => 0);

describe("planRestart", () => {
  for (const [what, lives, expected] of [
    ["fills a slot at once after the first end", [0], [0]],
    [
      "doubles from 100 ms up to 30 s",
      SHORT_LIVES.slice(0, 12),
      [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000],
    ],
    ["forgets failures once a worker lived 10 s", [0, 0, 0, 10_000, 0], [0, 100, 200, 0, 100]],
    ["counts one that lived a little less", [0, 0, 9_999, 0], [0, 100, 200, 400]],
    ["never makes workers wait that live long", [10_000, 60_000, 3_600_000], [0, 0, 0]],
  ] as const) {
    it(what, () => assert.deepEqual(delays(lives), expected));
  }

  it("never waits longer than 30 s, whatever the jitter", () => {
    for (const random of [0, 0.25, 0.999])
      for (const delay of delays(SHORT_LIVES, () => random))
        assert.ok(delay >= 0 && delay <= 30_000, `${delay} ms at ${random}`);
  });

  it("never waits less than before without jitter", () => {
    const all = delays(SHORT_LIVES);
    assert.deepEqual(
      all,
      all.toSorted((a, b) => a - b),
    );
  });

  it("shortens a delay by a fifth at most", () => {
    const longest = delays(SHORT_LIVES);
    for (const [index, delay] of delays(SHORT_LIVES, () => 1).entries())
      assert.equal(delay, (longest[index] ?? 0) * 0.8);
  });

  it("leaves the account it was given as it was", () => {
    const account = Object.freeze({ failures: 3 });
    assert.deepEqual(planRestart(account, 0, 0).account, { failures: 4 });
    assert.deepEqual(account, { failures: 3 });
  });
});

describe("isHopeless", () => {
  it("holds from where the delay would exceed its limit", () => {
    const hopeless = Array.from({ length: 15 }, (_, failures) => isHopeless({ failures }));
    assert.equal(hopeless.indexOf(true), 11);
    assert.ok(hopeless.slice(11).every(Boolean));
  });
});
