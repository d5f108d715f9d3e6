import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import type { NetConnectOpts } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { eventually } from "../helpers/deadline.ts";
import { connectionsOf, openKeptAlive, unevenness } from "../helpers/even-load.ts";
import { request } from "../helpers/http.ts";
import { errorLines, everReady, logged } from "../helpers/log-count.ts";
import { scrape } from "../helpers/metrics.ts";
import { portOf } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";

const WORKERS = 4;
const CONNECTIONS = 64;
const ROUNDS = 5;
const LIMIT = 1.2;
/** How long a connection may wait for a worker while another is stuck. */
const ATTENDED_WITHIN_MS = 1_000;

const MISSING = "outrigger_metrics_workers_missing";

type Transport = "unix" | "tcp";

interface Balanced {
  readonly service: Serving;
  readonly target: NetConnectOpts;
}

async function serve(
  t: TestContext,
  transport: Transport,
  args: readonly string[] = [],
): Promise<Balanced> {
  const listen = transport === "tcp" ? ["--listen", "127.0.0.1:0"] : [];
  const service = await serveApp(t, "hello.mjs", {
    args: ["--workers", String(WORKERS), "--access-log", "off", ...listen, ...args],
  });
  await everReady(service.program, WORKERS);
  const target =
    transport === "unix"
      ? { path: service.socketPath }
      : { host: "127.0.0.1", port: portOf(await service.program.address()) };
  return { service, target };
}

async function assertEven(t: TestContext, service: Serving, total: number): Promise<void> {
  const counts = await connectionsOf(service, total);
  const measured = unevenness(counts);
  const summary = `${[...counts.values()].join(" ")}: ${measured.toFixed(2)} of the fair share`;
  t.diagnostic(summary);
  assert.ok(measured <= LIMIT, summary);
}

describe("connections that are kept alive", () => {
  for (const transport of ["unix", "tcp"] as const) {
    it(`are shared out evenly on ${transport}, time and again`, async (t) => {
      const { service, target } = await serve(t, transport);
      for (let round = 0; round < ROUNDS; round += 1) {
        const clients = await openKeptAlive(t, target, CONNECTIONS);
        await assertEven(t, service, CONNECTIONS);
        for (const client of clients) await client.close();
        await connectionsOf(service, 0);
      }
      assert.deepEqual(errorLines(service.program), []);
    });

    it(`are even again on ${transport} when those of a killed worker were dialled anew`, async (t) => {
      const { service, target } = await serve(t, transport);
      const clients = await openKeptAlive(t, target, CONNECTIONS);
      await assertEven(t, service, CONNECTIONS);
      const [pid] = service.program.workerPids();
      assert.ok(pid);
      process.kill(pid, "SIGKILL");
      await logged(service.program, "worker ready", WORKERS + 1);
      const lost = clients.filter(({ socket }) => socket.readableEnded || socket.destroyed);
      assert.ok(lost.length > 0 && lost.length < CONNECTIONS / 2, `${lost.length} lost`);
      await connectionsOf(service, CONNECTIONS - lost.length);
      await openKeptAlive(t, target, lost.length);
      await assertEven(t, service, CONNECTIONS);
    });
  }

  it("are even again when a worker was added and more came", async (t) => {
    const { service, target } = await serve(t, "unix");
    await openKeptAlive(t, target, CONNECTIONS);
    service.program.signal("SIGTTIN");
    await service.program.line("grow done");
    const more = CONNECTIONS / WORKERS;
    await openKeptAlive(t, target, more);
    await assertEven(t, service, CONNECTIONS + more);
  });

  it("are even again after a reload", async (t) => {
    const { service, target } = await serve(t, "unix");
    service.program.signal("SIGHUP");
    await service.program.line("reload done");
    await logged(service.program, "worker exited", WORKERS);
    await openKeptAlive(t, target, CONNECTIONS);
    await assertEven(t, service, CONNECTIONS);
  });

  it("are all served with --balance off", async (t) => {
    const { service, target } = await serve(t, "unix", ["--balance", "off"]);
    await openKeptAlive(t, target, CONNECTIONS);
    const counts = await connectionsOf(service, CONNECTIONS);
    assert.equal(counts.size, WORKERS);
  });
});

describe("a worker that is stuck", () => {
  for (const transport of ["unix", "tcp"] as const) {
    it(`leaves no connection unattended on ${transport}`, async (t) => {
      const { service, target } = await serve(t, transport);
      const stuck = await RawClient.open(t, target);
      stuck.send("GET /block?ms=6000 HTTP/1.1\r\nHost: x\r\n\r\n");
      await eventually(
        3_000,
        async () => (await scrape(service.opsPort)).value(MISSING) === 1 || undefined,
        "a worker that does not answer",
      );
      const startMs = performance.now();
      let worstMs = 0;
      // One after the other: a queue that nobody attends would show at the first.
      for (let index = 0; index < CONNECTIONS; index += 1) {
        const sentMs = performance.now();
        await openKeptAlive(t, target, 1);
        worstMs = Math.max(worstMs, performance.now() - sentMs);
      }
      t.diagnostic(`worst ${Math.round(worstMs)} ms`);
      assert.ok(worstMs < ATTENDED_WITHIN_MS, `one waited ${Math.round(worstMs)} ms`);
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs < 5_000, `it was not stuck any more after ${Math.round(tookMs)} ms`);
      assert.equal(stuck.received, "");
      await stuck.until(/blocked\n$/);
      await connectionsOf(service, CONNECTIONS + 1);
    });
  }
});

describe("one request per connection", () => {
  const REQUESTS = 3_000;
  const AT_ONCE = 24;

  async function descriptors(pids: readonly number[]): Promise<number> {
    const counts = await Promise.all(
      pids.map(async (pid) => (await readdir(`/proc/${pid}/fd`)).length),
    );
    return Math.max(...counts);
  }

  for (const transport of ["unix", "tcp"] as const) {
    it(`loses none on ${transport}, and leaves no descriptor open`, async (t) => {
      const { service, target } = await serve(t, transport);
      const pids = service.program.workerPids();
      const before = await descriptors(pids);
      const address = "path" in target ? { socketPath: target.path } : { port: target.port };
      let left = REQUESTS;
      const churn = async (): Promise<void> => {
        while (left > 0) {
          left -= 1;
          const { status } = await request({ ...address, path: "/" });
          assert.equal(status, 200);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, churn));
      await connectionsOf(service, 0);
      const metrics = await service.metrics();
      assert.equal(metrics.sum("http_server_request_duration_seconds_count"), REQUESTS);
      assert.equal(metrics.value("outrigger_endpoint_connections_accepted_total"), REQUESTS);
      assert.deepEqual(service.program.workerPids(), pids);
      const after = await descriptors(pids);
      t.diagnostic(`descriptors: ${before} before, ${after} after`);
      assert.ok(after <= before + 2, `${before} descriptors before, ${after} after`);
      assert.deepEqual(errorLines(service.program), []);
    });
  }
});
