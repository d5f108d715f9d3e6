import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ListenerManager } from "../../src/listener/manager.ts";
import { silentLogger } from "../../src/log/logger.ts";
import { Supervisor } from "../../src/supervisor/supervisor.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { unixEndpoint } from "../helpers/endpoints.ts";
import { fakeSpawn, WORKER_START } from "../helpers/fake-workers.ts";
import { tempDir } from "../helpers/temp-dir.ts";

describe("Supervisor.stop", () => {
  it("does not wait for a claim that takes long, and gives back what it claims after all", async (t) => {
    const dir = await tempDir(t);
    const { spawn, workers } = fakeSpawn();
    const supervisor = new Supervisor({
      config: {
        ...WORKER_START.config,
        endpoints: [unixEndpoint(join(dir, "app.sock"))],
        ops: undefined,
      },
      log: silentLogger,
      spawn,
      version: "0.0.0",
    });
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const claim = ListenerManager.claim.bind(ListenerManager);
    t.mock.method(ListenerManager, "claim", async (...args: Parameters<typeof claim>) => {
      asked.resolve();
      await answered.promise;
      return await claim(...args);
    });
    const closes = t.mock.method(ListenerManager.prototype, "close");
    const started = assert.rejects(supervisor.start(), { code: "ERR_STATE" });
    await asked.promise;
    assert.deepEqual(await within(10_000, supervisor.stop(), "the stop"), {
      forced: 0,
      failed: false,
    });
    await started;
    assert.equal(closes.mock.callCount(), 0);
    answered.resolve();
    const isClosing = (): true | undefined => (closes.mock.callCount() > 0 ? true : undefined);
    await eventually(5_000, isClosing, "the late claim to be given back");
    await closes.mock.calls[0]?.result;
    assert.deepEqual(await readdir(dir), []);
    assert.equal(workers.length, 0);
  });
});
