import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Poller } from "../../../src/ops/page/poller.ts";

interface Setup {
  readonly poller: Poller;
  readonly asked: AbortSignal[];
  /** Lets the question that waits be answered. */
  readonly answer: () => Promise<void>;
}

function setUp(t: TestContext): Setup {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked: AbortSignal[] = [];
  let waiting = Promise.withResolvers<void>();
  const poller = new Poller(async (signal) => {
    asked.push(signal);
    waiting = Promise.withResolvers();
    await waiting.promise;
  }, 1000);
  const answer = async (): Promise<void> => {
    waiting.resolve();
    await new Promise(setImmediate);
  };
  return { poller, asked, answer };
}

describe("Poller", () => {
  it("asks at once, and again an interval after each answer", async (t) => {
    const { poller, asked, answer } = setUp(t);
    poller.start();
    poller.start();
    assert.equal(asked.length, 1);
    t.mock.timers.tick(5000);
    assert.equal(asked.length, 1);
    await answer();
    t.mock.timers.tick(999);
    assert.equal(asked.length, 1);
    t.mock.timers.tick(1);
    assert.equal(asked.length, 2);
  });

  it("gives up what it waits for when it stops", async (t) => {
    const { poller, asked, answer } = setUp(t);
    poller.start();
    poller.stop();
    assert.equal(asked[0]?.aborted, true);
    await answer();
    t.mock.timers.tick(5000);
    assert.equal(asked.length, 1);
  });

  it("stops between two questions, and goes on at once", async (t) => {
    const { poller, asked, answer } = setUp(t);
    poller.start();
    await answer();
    poller.stop();
    t.mock.timers.tick(5000);
    assert.equal(asked.length, 1);
    poller.start();
    assert.equal(asked.length, 2);
  });
});
