import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { App } from "../../src/app/app.ts";
import type { HealthReport } from "../../src/snapshot.ts";
import { HealthPoll } from "../../src/worker/health-poll.ts";

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 5_000;

type Health = NonNullable<App["health"]>;

interface World {
  readonly poll: HealthPoll;
  /** What `last` was at every call of `onChange`. */
  readonly changes: (HealthReport | undefined)[];
  /** Lets time pass, and what it sets off run. */
  readonly pass: (durationMs: number) => Promise<void>;
}

function createWorld(t: TestContext, health: Health | undefined): World {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const changes: (HealthReport | undefined)[] = [];
  const app: App = {
    handle() {},
    upgrade: undefined,
    async startup() {},
    async shutdown() {},
    health,
  };
  const poll = new HealthPoll(app, () => changes.push(poll.last));
  t.after(() => poll.stop());
  return {
    poll,
    changes,
    async pass(durationMs) {
      t.mock.timers.tick(durationMs);
      await nextTurn();
    },
  };
}

/** A health check that gives these answers one after the other, then the last one for ever. */
function answering(...answers: readonly HealthReport[]): { health: Health; asked: () => number } {
  let asked = 0;
  return {
    health: async () => answers[Math.min(asked++, answers.length - 1)] ?? { healthy: true },
    asked: () => asked,
  };
}

const SICK: HealthReport = { healthy: false, message: "sick" };
const SICKER: HealthReport = { healthy: false, message: "sicker" };
const WELL: HealthReport = { healthy: true };

describe("HealthPoll", () => {
  it("has no answer for an app without a health check", async (t) => {
    const { poll, changes, pass } = createWorld(t, undefined);
    await poll.start();
    await pass(INTERVAL_MS);
    assert.deepEqual([poll.last, changes], [undefined, []]);
  });

  it("has an answer when start() resolves", async (t) => {
    const { poll } = createWorld(t, answering(SICK).health);
    assert.equal(poll.last, undefined);
    await poll.start();
    assert.deepEqual(poll.last, SICK);
  });

  it("asks again every second, and tells only what is new", async (t) => {
    const { health, asked } = answering(WELL, WELL, SICK, SICKER, SICKER, WELL);
    const { poll, changes, pass } = createWorld(t, health);
    await poll.start();
    for (let second = 1; second <= 5; second += 1) {
      assert.equal(asked(), second);
      await pass(INTERVAL_MS - 1);
      assert.equal(asked(), second);
      await pass(1);
    }
    assert.deepEqual(changes, [WELL, SICK, SICKER, WELL]);
  });

  it("takes silence for an answer after five seconds", async (t) => {
    const { poll, pass } = createWorld(t, () => new Promise(() => {}));
    const started = poll.start();
    await pass(TIMEOUT_MS);
    await started;
    assert.deepEqual(poll.last, {
      healthy: false,
      message: "health() did not answer within 5s",
    });
  });

  it("asks one question at a time", async (t) => {
    let asked = 0;
    const { poll, pass } = createWorld(t, async () => {
      asked += 1;
      return asked === 1 ? WELL : await new Promise<HealthReport>(() => {});
    });
    await poll.start();
    await pass(INTERVAL_MS);
    assert.equal(asked, 2);
    await pass(INTERVAL_MS);
    assert.equal(asked, 2);
  });

  it("takes a rejection for unhealthy", async (t) => {
    const { poll } = createWorld(t, () => Promise.reject(new Error("no db")));
    await poll.start();
    assert.deepEqual(poll.last, { healthy: false, message: "Error: no db" });
  });

  it("asks nothing after stop()", async (t) => {
    const { health, asked } = answering(WELL);
    const { poll, pass } = createWorld(t, health);
    await poll.start();
    poll.stop();
    await pass(10 * INTERVAL_MS);
    assert.equal(asked(), 1);
    await poll.start();
    assert.equal(asked(), 1);
  });

  it("says nothing any more when it was stopped while it waited", async (t) => {
    const { promise, resolve } = Promise.withResolvers<HealthReport>();
    const { poll, changes } = createWorld(t, () => promise);
    const started = poll.start();
    poll.stop();
    resolve(SICK);
    await started;
    assert.deepEqual(changes, []);
  });
});
