import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Snapshot } from "../../src/snapshot.ts";
import { OpsSuccession } from "../../src/supervisor/ops-succession.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { holdPort, type PortHolder } from "../helpers/hold-port.ts";
import { request } from "../helpers/http.ts";
import { knockPort } from "../helpers/knock.ts";
import { recordingLogger, type RecordedLine } from "../helpers/recording-logger.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { snapshotFixture } from "../helpers/snapshot.ts";

const DEADLINE_MS = 10_000;
/** Far less than the time that a predecessor has to free its ports. */
const SOON_MS = 3_000;
const PREDECESSOR = { pid: 1, id: "predecessor" };

interface Succession {
  readonly succession: OpsSuccession;
  readonly lines: readonly RecordedLine[];
  /** Begins to open what is still to come. */
  readonly openLate: () => Promise<void>;
  /** The one that is relieved says that it has let go. */
  readonly letGo: () => void;
}

/** Relieves one that says it has both ports. */
async function succeed(
  scope: Scope,
  ports: Record<"ops" | "probe", PortHolder>,
): Promise<Succession> {
  const { ops, probe } = ports;
  const letGo = Promise.withResolvers<void>();
  const { log, lines } = recordingLogger();
  const now = (): Snapshot => snapshotFixture();
  const succession = new OpsSuccession({
    config: { ops, probe, takeover: true },
    log,
    source: { current: now, standing: now, refresh: async () => now() },
  });
  onEnd(scope, async () => {
    succession.giveUp();
    await succession.ports.close();
  });
  await succession.open();
  succession.expectFrom({ ...PREDECESSOR, opsPort: ops.port, probePort: probe.port });
  return {
    succession,
    lines,
    openLate: () => succession.openLate({ opsFree: letGo.promise }),
    letGo: () => letGo.resolve(),
  };
}

describe("OpsSuccession", () => {
  it("keeps the ops endpoint without the probe port, which it takes when it can", async (t) => {
    const [ops, probe] = [await holdPort(t), await holdPort(t)];
    const { succession, lines, openLate, letGo } = await succeed(t, { ops, probe });
    assert.deepEqual(
      [succession.portOf("ops"), succession.portOf("probe")],
      [ops.port, probe.port],
    );
    await ops.close();
    letGo();
    await within(DEADLINE_MS, openLate(), "the first attempt");
    assert.equal((await request({ port: ops.port, path: "/livez" })).status, 200);
    assert.deepEqual([succession.portOf("ops"), succession.portOf("probe")], [ops.port, undefined]);
    const errors = (): string[] =>
      lines.flatMap(({ level, msg }) => (level === "error" ? msg : []));
    assert.deepEqual(errors(), ["probe port cannot be opened"]);
    await probe.close();
    await eventually(DEADLINE_MS, () => succession.ports.probe, "the probe port");
    assert.equal(await knockPort(probe), "connected");
    assert.deepEqual(errors(), ["probe port cannot be opened"]);
  });

  it("tries the ops endpoint again, too, until it is closed", async (t) => {
    const [ops, probe] = [await holdPort(t), await holdPort(t)];
    const { succession, lines, openLate, letGo } = await succeed(t, { ops, probe });
    letGo();
    await within(DEADLINE_MS, openLate(), "the first attempt");
    assert.equal(succession.portOf("ops"), undefined);
    await ops.close();
    await eventually(DEADLINE_MS, () => succession.ports.ops, "the ops endpoint");
    const last = lines.at(-1);
    assert.deepEqual([last?.level, last?.msg], ["info", "ops endpoint open"]);
    assert.equal((await request({ port: ops.port, path: "/livez" })).status, 200);
    succession.giveUp();
    await succession.ports.close();
    assert.equal(await knockPort(ops), "ECONNREFUSED");
  });

  it("refuses ports that somebody else has than the one it relieves", async (t) => {
    const ports = { ops: await holdPort(t), probe: await holdPort(t) };
    const { succession } = await succeed(t, ports);
    for (const predecessor of [undefined, { ...PREDECESSOR, opsPort: 1, probePort: 2 }])
      assert.throws(() => succession.expectFrom(predecessor), {
        message: new RegExp(`${ports.ops.port}: address already in use`),
      });
  });

  it("opens nothing once it is closed", async (t) => {
    const [ops, probe] = [await holdPort(t), await holdPort(t)];
    const { succession, openLate } = await succeed(t, { ops, probe });
    const opened = openLate();
    await Promise.all([ops.close(), probe.close()]);
    await succession.letGo();
    await within(SOON_MS, opened, "the wait to end");
    assert.equal(succession.ports.ops, undefined);
    assert.equal(await knockPort(ops), "ECONNREFUSED");
    assert.equal(await knockPort(probe), "ECONNREFUSED");
  });
});
