import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import type { Config } from "../../src/config/config.ts";
import type { Phase } from "../../src/lifecycle/phase.ts";
import { Certificates } from "../../src/supervisor/certificates.ts";
import { WorkerChanges } from "../../src/supervisor/worker-changes.ts";
import { WORKER_START } from "../helpers/fake-workers.ts";
import { recordingLogger } from "../helpers/recording-logger.ts";
import { ServingSet } from "../helpers/serving-set.ts";

interface Setup {
  readonly changes: WorkerChanges;
  readonly set: ServingSet;
  readonly warned: () => readonly unknown[];
}

async function setUp(given: Partial<Config> = {}, phase: Phase = "ready"): Promise<Setup> {
  const config: Config = { ...WORKER_START.config, workers: 2, ...given };
  const { log, lines } = recordingLogger();
  const set = await ServingSet.start(2);
  const changes = new WorkerChanges({
    config,
    log,
    opening: {
      certificates: new Certificates({ endpoints: [], log, onRenew: () => {} }),
      startOf: (next) => ({ ...WORKER_START, config: next }),
      workers: set.set,
    },
    readPhase: () => phase,
  });
  const warned = (): readonly unknown[] =>
    lines.flatMap(({ level, fields }) => (level === "warn" ? [fields["settings"]] : []));
  return { changes, set, warned };
}

/** The next successor has been spawned, and is ready. */
async function successorIsReady(set: ServingSet): Promise<void> {
  await settle();
  await set.lastIsReady();
}

describe("WorkerChanges", () => {
  it("takes a configuration over once every worker runs with it", async () => {
    const { changes, set } = await setUp();
    const before = changes.config;
    const reloaded = changes.reload({ ...before, app: "./next.js" });
    await successorIsReady(set);
    assert.equal(changes.config, before, "half of them are the old ones");
    await successorIsReady(set);
    await reloaded;
    assert.equal(changes.config.app, "./next.js");
  });

  it("keeps the old configuration when a worker cannot start with the new one", async () => {
    const { changes, set } = await setUp();
    const before = changes.config;
    const reloaded = changes.reload({ ...before, app: "./broken.js" });
    await settle();
    set.workers.at(-1)?.exit({ code: 3 });
    await assert.rejects(reloaded, { code: "ERR_WORKER" });
    assert.equal(changes.config, before);
  });

  it("names settings that need a restart", async () => {
    const { changes, set, warned } = await setUp();
    const reloaded = changes.reload({ ...changes.config, takeover: true });
    for (let ready = 0; ready < 2; ready += 1) await successorIsReady(set);
    await reloaded;
    assert.deepEqual(warned(), [["takeover"]]);
  });

  it("takes no worker away that is needed to be ready", async () => {
    const { changes } = await setUp({ minReady: 2 });
    await assert.rejects(changes.shrink(), {
      code: "ERR_STATE",
      message: "Cannot take a worker away: min-ready is 2, and there are no more",
    });
  });

  it("changes nothing in a process that serves by itself", async () => {
    const { changes } = await setUp({ workers: 0 });
    for (const change of [changes.grow(), changes.shrink(), changes.reload(changes.config)])
      await assert.rejects(change, { message: /the app runs in this process$/ });
  });

  it("changes nothing while the process drains, but renews workers for a socket that was lost", async () => {
    const { changes, set } = await setUp({}, "draining");
    await assert.rejects(changes.grow(), { message: "Cannot change workers while draining" });
    const renewed = changes.renew();
    for (let ready = 0; ready < 2; ready += 1) await successorIsReady(set);
    await renewed;
    assert.equal(set.workers.length, 4);
  });
});
