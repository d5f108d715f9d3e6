import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RecycleConfig } from "../../src/config/config.ts";
import { RecyclePolicy, type Vitals } from "../../src/supervisor/recycle-policy.ts";
import { seededRandom } from "../helpers/random.ts";

const NO_LIMITS: RecycleConfig = { maxRequests: 0, maxLifetimeMs: 0, maxRssBytes: 0 };
const MI = 2 ** 20;

function policy(limits: Partial<RecycleConfig>, random = 0): RecyclePolicy {
  return new RecyclePolicy({ ...NO_LIMITS, ...limits }, random);
}

function vitals(known: Partial<Vitals>): Vitals {
  return { requests: 0, livedMs: 0, residentBytes: 0, ...known };
}

describe("RecyclePolicy", () => {
  it("keeps a worker for ever without limits", () => {
    const old = vitals({ requests: 1e9, livedMs: 1e12, residentBytes: 1e12 });
    const none = policy({}, 1);
    for (let sample = 0; sample < 10; sample += 1) assert.equal(none.judge(old), undefined);
    assert.equal(none.reportAfterRequests, 0);
  });

  it("replaces at a number of requests", () => {
    const limited = policy({ maxRequests: 200 });
    assert.equal(limited.reportAfterRequests, 200);
    assert.equal(limited.judge(vitals({ requests: 199 })), undefined);
    assert.equal(limited.judge(vitals({ requests: 200 })), "max_requests");
  });

  it("replaces at an age", () => {
    const limited = policy({ maxLifetimeMs: 1_000 });
    assert.equal(limited.judge(vitals({ livedMs: 999 })), undefined);
    assert.equal(limited.judge(vitals({ livedMs: 1_000 })), "max_lifetime");
  });

  it("replaces what stays large for three samples in a row", () => {
    const limited = policy({ maxRssBytes: 100 * MI }, 1);
    const judge = (mebibytes: number): unknown =>
      limited.judge(vitals({ residentBytes: mebibytes * MI }));
    assert.deepEqual([101, 150, 100, 101, 102].map(judge), Array(5).fill(undefined));
    assert.deepEqual([103, 104].map(judge), ["max_rss", "max_rss"]);
  });

  it("raises requests and age by up to a tenth, drawn once for each worker", () => {
    const random = seededRandom(5);
    const limits = Array.from(
      { length: 500 },
      () => policy({ maxRequests: 1_000 }, random()).reportAfterRequests,
    );
    assert.ok(Math.min(...limits) >= 1_000 && Math.max(...limits) <= 1_100);
    assert.ok(new Set(limits).size > 50, "they leave together");
    const oldest = policy({ maxLifetimeMs: 1_000 }, 1);
    assert.equal(oldest.judge(vitals({ livedMs: 1_099 })), undefined);
    assert.equal(oldest.judge(vitals({ livedMs: 1_101 })), "max_lifetime");
  });

  it("asks for a report exactly when the number is reached", () => {
    const random = seededRandom(9);
    for (let round = 0; round < 500; round += 1) {
      const limited = policy({ maxRequests: 1 + Math.floor(random() * 500) }, random());
      const { reportAfterRequests: enough } = limited;
      assert.equal(limited.judge(vitals({ requests: enough - 1 })), undefined);
      assert.equal(limited.judge(vitals({ requests: enough })), "max_requests");
    }
  });
});
