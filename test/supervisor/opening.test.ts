import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ListenerManager } from "../../src/listener/manager.ts";
import type { Snapshot } from "../../src/snapshot.ts";
import { Opening } from "../../src/supervisor/opening.ts";
import type { SpawnWorker } from "../../src/supervisor/worker-process.ts";
import { within } from "../helpers/deadline.ts";
import { unixEndpoint } from "../helpers/endpoints.ts";
import { fakeSpawn, WORKER_START } from "../helpers/fake-workers.ts";
import { holdPort, type PortHolder } from "../helpers/hold-port.ts";
import { request } from "../helpers/http.ts";
import { recordingLogger } from "../helpers/recording-logger.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { snapshotFixture } from "../helpers/snapshot.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { serve } from "../listener/listener-suite.ts";

const DEADLINE_MS = 10_000;

/** An opening that has taken over, with the ports still to come. */
interface Succession {
  /** Begins to open what is still to come. */
  readonly openLate: () => Promise<void>;
  /** The one that is relieved says that it has let go. */
  readonly letGo: () => void;
  /** A stop of the new one. */
  readonly stop: () => void;
}

/** Relieves one that says it has both ports. */
async function succeed(
  scope: Scope,
  ports: Record<"ops" | "probe", PortHolder>,
): Promise<Succession> {
  const { ops, probe } = ports;
  const endpoints = [unixEndpoint(join(await tempDir(scope), "app.sock"))];
  const stopping = new AbortController();
  const old = await ListenerManager.claim(endpoints);
  const letGo = Promise.withResolvers<void>();
  onEnd(scope, async () => {
    letGo.resolve();
    await old.close();
  });
  await old.publish(async () => {}, stopping.signal);
  old.offer({
    opsPort: () => ops.port,
    probePort: () => probe.port,
    letGoOfOps: () => letGo.promise,
    onTakenOver: () => {},
    onRecovered: () => {},
  });
  const { log } = recordingLogger();
  const fakes = fakeSpawn();
  const spawn: SpawnWorker = (listeners, events) => {
    const link = fakes.spawn(listeners, events);
    // The one that is relieved looks whether anybody accepts there.
    const served = Promise.all(listeners.map((listener) => serve(scope, listener)));
    void served.then(() => fakes.workers.at(-1)?.ready());
    return link;
  };
  const now = (): Snapshot => snapshotFixture();
  const source = { current: now, standing: now, refresh: async () => now() };
  const opening = new Opening({
    config: { ...WORKER_START.config, endpoints, ops, probe, takeover: true, workers: 1 },
    ...{ log, spawn, source, checkTarget: "/check", signal: stopping.signal },
    check: async () => {},
  });
  onEnd(scope, () => opening.close());
  const { handover } = await within(DEADLINE_MS, opening.run(), "the handover");
  assert.ok(handover);
  return {
    openLate: () => opening.ops.openLate(handover),
    letGo: () => letGo.resolve(),
    stop: () => stopping.abort(),
  };
}

describe("Opening", () => {
  it("opens both for a drain when a stop comes while it waits", async (t) => {
    const [ops, probe] = [await holdPort(t), await holdPort(t)];
    const { openLate, letGo, stop } = await succeed(t, { ops, probe });
    const opened = openLate();
    stop();
    await Promise.all([ops.close(), probe.close()]);
    letGo();
    await within(DEADLINE_MS, opened, "the first attempt");
    assert.equal((await request({ port: ops.port, path: "/livez" })).status, 200);
  });
});
