import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, it, type TestContext } from "node:test";
import { EndpointCounters } from "../../src/counters.ts";
import { CounterPage } from "../../src/supervisor/counter-page.ts";
import { CounterWriter } from "../../src/worker/counter-writer.ts";
import { eventually } from "../helpers/deadline.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 5_000;

async function openPage(t: TestContext, endpoints: readonly string[]): Promise<CounterPage> {
  const page = CounterPage.open(endpoints, await tempDir(t));
  assert.ok(page !== undefined);
  t.after(() => page.close());
  return page;
}

function acceptedOf(page: CounterPage, endpoint: string): number {
  return new EndpointCounters(page.read()[endpoint]).accepted;
}

describe("CounterWriter", () => {
  it("has written a lone count when the turn of the loop is over", async (t) => {
    const page = await openPage(t, ["a", "b"]);
    const writer = new CounterWriter(2, page.descriptor);
    writer.counters[1]?.countAccepted();
    assert.equal(acceptedOf(page, "b"), 0);
    await nextTurn();
    assert.equal(acceptedOf(page, "b"), 1);
    assert.equal(acceptedOf(page, "a"), 0);
  });

  it("writes what follows soon after, too", async (t) => {
    const page = await openPage(t, ["a"]);
    const writer = new CounterWriter(1, page.descriptor);
    for (let count = 1; count <= 3; count += 1) {
      writer.counters[0]?.countAccepted();
      await nextTurn();
    }
    await eventually(DEADLINE_MS, () => acceptedOf(page, "a") === 3 || undefined, "three counts");
  });

  it("writes at once when told to", async (t) => {
    const page = await openPage(t, ["a"]);
    const writer = new CounterWriter(1, page.descriptor);
    writer.counters[0]?.countFinished("GET", 200, 0.25);
    writer.write();
    const [series] = new EndpointCounters(page.read()["a"]).durations();
    assert.deepEqual([series?.count, series?.sumSeconds], [1, 0.25]);
  });

  for (const [name, descriptor] of [
    ["without a page", undefined],
    ["when its page cannot be written", 9_999],
  ] as const) {
    it(`counts on ${name}`, async () => {
      const writer = new CounterWriter(1, descriptor);
      writer.counters[0]?.countAccepted();
      writer.write();
      await nextTurn();
      assert.equal(writer.counters[0]?.accepted, 1);
    });
  }
});
