import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ListenerManager } from "../../src/listener/manager.ts";
import type { Snapshot } from "../../src/snapshot.ts";
import { Opening } from "../../src/supervisor/opening.ts";
import type { SpawnWorker } from "../../src/supervisor/worker-process.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { unixEndpoint } from "../helpers/endpoints.ts";
import { fakeSpawn, WORKER_START } from "../helpers/fake-workers.ts";
import { request } from "../helpers/http.ts";
import { knockPort } from "../helpers/knock.ts";
import { recordingLogger, type RecordedLine } from "../helpers/recording-logger.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { snapshotFixture } from "../helpers/snapshot.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { serve } from "../listener/listener-suite.ts";

const DEADLINE_MS = 10_000;

/** Somebody who has a port. */
interface Holder {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

async function holdPort(scope: Scope): Promise<Holder> {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  onEnd(scope, () => server.close());
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return {
    host: "127.0.0.1",
    port: address.port,
    async close() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

/** An opening that has taken over, with the ports still to come. */
interface Succession {
  readonly opening: Opening;
  readonly lines: readonly RecordedLine[];
  /** Begins to open what is still to come. */
  readonly openLate: () => Promise<void>;
  /** The one that is relieved says that it has let go. */
  readonly letGo: () => void;
  /** A stop of the new one. */
  readonly stop: () => void;
}

/** Relieves one that says it has both ports. */
async function succeed(scope: Scope, ports: Record<"ops" | "probe", Holder>): Promise<Succession> {
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
  const { log, lines } = recordingLogger();
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
    onLedger: () => {},
  });
  onEnd(scope, () => opening.close());
  const { handover } = await within(DEADLINE_MS, opening.run(), "the handover");
  assert.ok(handover);
  return {
    opening,
    lines,
    openLate: () => opening.openLateOps(handover),
    letGo: () => letGo.resolve(),
    stop: () => stopping.abort(),
  };
}

describe("Opening.openLateOps", () => {
  it("keeps the ops endpoint without the probe port, which it takes when it can", async (t) => {
    const [ops, probe] = [await holdPort(t), await holdPort(t)];
    const { opening, lines, openLate, letGo } = await succeed(t, { ops, probe });
    assert.deepEqual([opening.opsPort, opening.probePort], [ops.port, probe.port]);
    await ops.close();
    letGo();
    await within(DEADLINE_MS, openLate(), "the first attempt");
    assert.equal((await request({ port: ops.port, path: "/livez" })).status, 200);
    assert.deepEqual([opening.opsPort, opening.probePort], [ops.port, undefined]);
    const errors = (): string[] =>
      lines.flatMap(({ level, msg }) => (level === "error" ? msg : []));
    assert.deepEqual(errors(), ["probe port cannot be opened"]);
    await probe.close();
    await eventually(DEADLINE_MS, () => opening.ops.probe, "the probe port");
    assert.equal(await knockPort(probe), "connected");
    assert.deepEqual(errors(), ["probe port cannot be opened"]);
  });

  it("tries the ops endpoint again, too, until it is closed", async (t) => {
    const [ops, probe] = [await holdPort(t), await holdPort(t)];
    const { opening, lines, openLate, letGo } = await succeed(t, { ops, probe });
    letGo();
    await within(DEADLINE_MS, openLate(), "the first attempt");
    assert.equal(opening.opsPort, undefined);
    await ops.close();
    await eventually(DEADLINE_MS, () => opening.ops.ops, "the ops endpoint");
    const last = lines.at(-1);
    assert.deepEqual([last?.level, last?.msg], ["info", "ops endpoint open"]);
    assert.equal((await request({ port: ops.port, path: "/livez" })).status, 200);
    await opening.close();
    assert.equal(await knockPort(ops), "ECONNREFUSED");
  });

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

  it("opens nothing once it is closed", async (t) => {
    const [ops, probe] = [await holdPort(t), await holdPort(t)];
    const { opening, openLate } = await succeed(t, { ops, probe });
    const opened = openLate();
    await Promise.all([ops.close(), probe.close()]);
    await opening.letGoOfOps();
    await within(DEADLINE_MS, opened, "the wait to end");
    assert.equal(await knockPort(ops), "ECONNREFUSED");
    assert.equal(await knockPort(probe), "ECONNREFUSED");
  });
});
