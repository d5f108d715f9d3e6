import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readHooks } from "../../src/app/hooks.ts";
import type { HealthReport } from "../../src/snapshot.ts";

describe("readHooks", () => {
  it("finds none where none are exported", () => {
    const { startup, shutdown, health, upgrade } = readHooks({ default: () => {} });
    assert.deepEqual(
      [startup, shutdown, health, upgrade],
      [undefined, undefined, undefined, undefined],
    );
  });

  it("passes on what a hook returns and throws", async () => {
    const { startup, shutdown } = readHooks({
      startup: () => Promise.resolve("started"),
      shutdown: () => {
        throw new Error("not now");
      },
    });
    assert.equal(await startup?.(), "started");
    assert.throws(() => shutdown?.(), /not now/);
  });

  for (const name of ["startup", "shutdown", "health", "upgrade"]) {
    it(`refuses an export ${name} that is no function`, () => {
      assert.throws(() => readHooks({ [name]: "yes" }), {
        code: "ERR_APP",
        message: `Cannot use the export "${name}": expected a function, got string`,
      });
    });
  }
});

describe("a health hook", () => {
  const answers: Record<string, readonly [health: () => unknown, report: HealthReport]> = {
    "nothing is healthy": [() => undefined, { healthy: true }],
    "true is healthy": [() => true, { healthy: true }],
    "null is healthy": [() => null, { healthy: true }],
    "{ healthy: true } is healthy": [() => ({ healthy: true, message: "fine" }), { healthy: true }],
    "an object that says nothing of health is healthy": [() => ({ db: "up" }), { healthy: true }],
    "false is unhealthy": [() => false, { healthy: false, message: "health() returned false" }],
    "a promise of false is unhealthy": [
      () => Promise.resolve(false),
      { healthy: false, message: "health() returned false" },
    ],
    "{ healthy: false } is unhealthy": [
      () => ({ healthy: false }),
      { healthy: false, message: "health() said healthy: false" },
    ],
    "a message is passed on": [
      () => ({ healthy: false, message: "queue is full" }),
      { healthy: false, message: "queue is full" },
    ],
    "throwing is unhealthy": [
      () => {
        throw new Error("no db");
      },
      { healthy: false, message: "no db" },
    ],
    "rejecting is unhealthy": [
      () => Promise.reject(new Error("no db")),
      { healthy: false, message: "no db" },
    ],
    "throwing what is no error is unhealthy": [
      // oxlint-disable-next-line prefer-promise-reject-errors
      () => Promise.reject("no db"),
      { healthy: false, message: "no db" },
    ],
  };
  for (const [what, [health, report]] of Object.entries(answers)) {
    it(`decides: ${what}`, async () => {
      assert.deepEqual(await readHooks({ health }).health?.(), report);
    });
  }
});
