import assert from "node:assert/strict";
import type { NetConnectOpts } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../helpers/deadline.ts";
import { errorLines, everReady, logged } from "../helpers/log-count.ts";
import { startNginx } from "../helpers/nginx.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { SteadyClient, sumUp } from "../helpers/steady-client.ts";

const WORKERS = 4;
const CONNECTIONS = 64;
const SETTLED_WITHIN_MS = 20_000;
/** Longer than it takes to find counts uneven, and loads. */
const OBSERVED_MS = 6_000;
const REBALANCED = "outrigger_endpoint_connections_closed_total";

interface Loaded {
  readonly service: Serving;
  readonly clients: readonly SteadyClient[];
}

async function serve(t: TestContext, args: readonly string[] = []): Promise<Serving> {
  const service = await serveApp(t, "hello.mjs", {
    args: ["--workers", String(WORKERS), "--access-log", "off", ...args],
  });
  await everReady(service.program, WORKERS);
  return service;
}

async function startLoad(t: TestContext, target: NetConnectOpts): Promise<SteadyClient[]> {
  const clients = Array.from(
    { length: CONNECTIONS },
    () => new SteadyClient(t, { target, pauseMs: () => 5 }),
  );
  await eventually(
    10_000,
    () => clients.every(({ answered }) => answered > 0) || undefined,
    "load",
  );
  return clients;
}

async function load(t: TestContext, args: readonly string[] = []): Promise<Loaded> {
  const service = await serve(t, args);
  return { service, clients: await startLoad(t, { path: service.socketPath }) };
}

async function countsOf(service: Serving): Promise<number[]> {
  const { samples } = await service.metrics();
  return samples
    .filter(({ name }) => name === "outrigger_worker_connections")
    .map(({ value }) => value);
}

function rebalanced(service: Serving): Promise<number> {
  return service.sum(REBALANCED, { reason: "rebalanced" });
}

/** Resolves when no worker has more than 1.10 of its share, and none is left out. */
async function settled(t: TestContext, service: Serving, workers: number): Promise<void> {
  const startMs = performance.now();
  let last: number[] = [];
  await eventually(
    SETTLED_WITHIN_MS,
    async () => {
      last = await countsOf(service);
      const fair = last.reduce((sum, count) => sum + count, 0) / workers;
      const isEven = Math.max(...last) <= fair * 1.1 && Math.min(...last) >= fair * 0.75;
      return (last.length === workers && isEven) || undefined;
    },
    "even workers",
  ).catch((error: unknown) => {
    throw new Error(`Workers have ${last.join(" ")} connections`, { cause: error });
  });
  t.diagnostic(`${last.join(" ")} after ${Math.round(performance.now() - startMs)} ms`);
}

async function endLoad(clients: readonly SteadyClient[]): Promise<ReturnType<typeof sumUp>> {
  await Promise.all(clients.map((client) => client.stop()));
  return sumUp(clients);
}

describe("connections that are kept alive and used", () => {
  it("are even again when a worker was killed, and nothing else is lost", async (t) => {
    const { service, clients } = await load(t);
    await settled(t, service, WORKERS);
    const [pid] = service.program.workerPids();
    assert.ok(pid);
    process.kill(pid, "SIGKILL");
    await logged(service.program, "worker ready", WORKERS + 1);
    const failed = sumUp(clients).failures.length;
    await settled(t, service, WORKERS);
    const { failures, sentAway } = await endLoad(clients);
    assert.ok(failures.length <= CONNECTIONS / 2, `${failures.length} were lost with the worker`);
    assert.equal(failures.length, failed, String(failures.at(-1)));
    assert.ok(sentAway > 0);
    await eventually(
      10_000,
      async () => (await rebalanced(service)) === sentAway || undefined,
      "every end to be counted",
    );
  });

  it("are even again when a worker was added, and none is lost", async (t) => {
    const { service, clients } = await load(t);
    service.program.signal("SIGTTIN");
    await service.program.line("grow done");
    await settled(t, service, WORKERS + 1);
    const { failures, sentAway } = await endLoad(clients);
    assert.deepEqual(failures, []);
    assert.ok(sentAway > 0 && sentAway < CONNECTIONS, `${sentAway} were moved`);
  });

  it("are even again behind nginx when a worker was added, and none is lost", async (t) => {
    const service = await serve(t);
    const nginx = await startNginx(t, {
      dir: service.dir,
      socket: service.socketPath,
      keepalive: CONNECTIONS,
    });
    const clients = await startLoad(t, { host: "127.0.0.1", port: nginx.port });
    service.program.signal("SIGTTIN");
    await service.program.line("grow done");
    await eventually(
      SETTLED_WITHIN_MS,
      async () => (await rebalanced(service)) > 0 || undefined,
      "connections to be moved",
    );
    await eventually(
      SETTLED_WITHIN_MS,
      async () => Math.min(...(await countsOf(service))) > 0 || undefined,
      "the new worker to have its share",
    );
    const { failures } = await endLoad(clients);
    assert.deepEqual(failures, []);
    assert.doesNotMatch(await nginx.errorLog(), /upstream|connect\(\)/);
    assert.deepEqual(errorLines(service.program), []);
  });

  for (const mode of ["accept", "off"]) {
    it(`stay where they are with --balance ${mode}`, async (t) => {
      const { service, clients } = await load(t, ["--balance", mode]);
      service.program.signal("SIGTTIN");
      await service.program.line("grow done");
      await delay(OBSERVED_MS);
      const { failures, sentAway } = await endLoad(clients);
      assert.deepEqual([failures, sentAway, await rebalanced(service)], [[], 0, 0]);
    });
  }

  for (const [mode, most] of [
    ["connections", 0],
    // Workers that compete with other programs for the processors look unevenly busy: four at a time, from each.
    ["load", CONNECTIONS / 2],
  ] as const) {
    it(`hardly move with --balance ${mode} while all is even`, async (t) => {
      const { service, clients } = await load(t, ["--balance", mode]);
      await settled(t, service, WORKERS);
      const before = await rebalanced(service);
      await delay(OBSERVED_MS);
      const { failures } = await endLoad(clients);
      const moved = (await rebalanced(service)) - before;
      assert.deepEqual(failures, []);
      assert.ok(moved <= most, `${moved} were moved`);
    });
  }
});
