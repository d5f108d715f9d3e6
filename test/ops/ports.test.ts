import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLogger } from "../../src/log/logger.ts";
import { OpsPorts } from "../../src/ops/ports.ts";
import { knockPort } from "../helpers/knock.ts";
import { snapshotFixture } from "../helpers/snapshot.ts";

describe("OpsPorts", () => {
  it("lets the probe port follow readiness without a snapshot, which would count", async (t) => {
    let standing = snapshotFixture();
    const ports = new OpsPorts({
      config: { ops: undefined, probe: { host: "127.0.0.1", port: 0 } },
      log: silentLogger,
      standing: () => standing,
      current: () => assert.fail("a snapshot was taken"),
      refresh: () => assert.fail("a snapshot was taken"),
    });
    t.after(() => ports.close());
    assert.deepEqual(await ports.open(), []);
    assert.ok(ports.probe);
    ports.follow();
    assert.equal(await knockPort(ports.probe), "connected");
    standing = snapshotFixture({ phase: "draining" });
    ports.follow();
    assert.equal(await knockPort(ports.probe), "ECONNREFUSED");
  });
});
