import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  FRESH_ACCOUNT,
  isFailing,
  isHopeless,
  planRestart,
} from "../../src/supervisor/restart-policy.ts";
import { forAll } from "../helpers/for-all.ts";
import type { Chance } from "../helpers/random.ts";

/** Delays of workers that end one after the other, each after having lived so long. */
function delays(lives: readonly number[], random: () => number = () => 0, slots = 1): number[] {
  let account = FRESH_ACCOUNT;
  return lives.map((livedMs) => {
    const plan = planRestart(account, { livedMs, random: random(), slots });
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

  for (const [slots, longestMs] of [
    [3, 30_000],
    [4, 40_000],
    [64, 640_000],
  ] as const) {
    it(`waits ${longestMs} ms at most where ${slots} slots may fail alike`, () =>
      assert.equal(delays(SHORT_LIVES, () => 0, slots).at(-1), longestMs));
  }

  it("calls news every growth of the delay, and then one end in ten", () => {
    for (const slots of [1, 64]) {
      let account = FRESH_ACCOUNT;
      const plans = SHORT_LIVES.map((livedMs) => {
        const plan = planRestart(account, { livedMs, random: 0, slots });
        ({ account } = plan);
        return plan;
      });
      const longest = plans.findIndex(({ delayMs }) => delayMs === plans.at(-1)?.delayMs);
      const news = plans.flatMap(({ isNews }, index) => (isNews ? [index] : []));
      const later = SHORT_LIVES.map((_, tens) => longest + 10 * tens).filter((at) => at < 40);
      assert.deepEqual(news, [...Array(longest).keys(), ...later]);
    }
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
    assert.deepEqual(planRestart(account, { livedMs: 0, random: 0, slots: 1 }).account, {
      failures: 4,
    });
    assert.deepEqual(account, { failures: 3 });
  });
});

describe("planRestart, for any lives and any jitter", () => {
  const LIVED_LONG_MS = 10_000;

  function draw({ list, below, is, next }: Chance): { livedMs: number; random: number }[] {
    const livedMs = (): number => (is(0.1) ? LIVED_LONG_MS + below(1e6) : below(LIVED_LONG_MS));
    return list(1 + below(30), () => ({ livedMs: livedMs(), random: next() }));
  }

  it("waits as long as without jitter, or up to a fifth less, in whole milliseconds", () =>
    forAll({
      draw,
      check(ends) {
        const jitter = ends.map(({ random }) => random).values();
        const lives = ends.map(({ livedMs }) => livedMs);
        const longest = delays(lives);
        const waited = delays(lives, () => jitter.next().value ?? 0);
        for (const [index, delay] of waited.entries()) {
          const most = longest[index] ?? 0;
          assert.ok(Number.isInteger(delay) && delay >= most * 0.8 && delay <= most);
        }
      },
    }));

  it("waits no shorter from one failure to the next, and not at all after a long life", () =>
    forAll({
      draw,
      check(ends) {
        const lives = ends.map(({ livedMs }) => livedMs);
        const waited = delays(lives);
        for (const [index, delay] of waited.entries()) {
          const hasLived = (lives[index] ?? 0) >= LIVED_LONG_MS;
          assert.ok(hasLived ? delay === 0 : delay >= (waited[index - 1] ?? 0));
        }
      },
    }));
});

describe("isFailing", () => {
  it("holds from the third end in a row", () => {
    const failing = [0, 1, 2, 3, 4].map((failures) => isFailing({ failures }));
    assert.deepEqual(failing, [false, false, false, true, true]);
  });
});

describe("isHopeless", () => {
  it("holds from where the delay would exceed its limit", () => {
    const hopeless = Array.from({ length: 15 }, (_, failures) => isHopeless({ failures }));
    assert.equal(hopeless.indexOf(true), 11);
    assert.ok(hopeless.slice(11).every(Boolean));
  });
});
