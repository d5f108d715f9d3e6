import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { openDescriptors } from "../helpers/kernel.ts";
import { freePort } from "../helpers/nginx.ts";
import { startProgram } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { accepted, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const PATHS = ["/livez", "/startupz", "/readyz", "/healthz"] as const;
const INFO = 30;

/** The status of every probe. */
async function statuses(port: number): Promise<Record<string, number>> {
  const answers = await Promise.all(
    PATHS.map(async (path) => [path, (await request({ port, path })).status] as const),
  );
  return Object.fromEntries(answers);
}

describe("probes through the life of the program", () => {
  it("follow the start: alive at once, the others when the endpoint is published", async (t) => {
    const socketPath = join(await tempDir(t), "app.sock");
    const port = await freePort();
    const program = startProgram(t, {
      args: [
        fixture("slow-start.mjs"),
        ...["--listen", socketPath, "--ops", `127.0.0.1:${port}`, "--workers", "1"],
      ],
      env: { START_MS: "1000" },
    });
    const starting = await eventually(
      DEADLINE_MS,
      () => statuses(port).catch(() => undefined),
      "the ops endpoint",
    );
    assert.deepEqual(starting, {
      "/livez": 200,
      "/startupz": 503,
      "/readyz": 503,
      "/healthz": 503,
    });
    const { text } = await request({ port, path: "/readyz" });
    assert.match(text(), /^\[-\]phase failed: phase is starting\n/);
    await assert.rejects(request({ socketPath }), { code: "ENOENT" });
    // The first 200 of /startupz is a promise: from then on the socket serves.
    await eventually(
      DEADLINE_MS,
      async () => (await request({ port, path: "/startupz" })).status === 200 || undefined,
      "/startupz to pass",
    );
    assert.equal((await request({ socketPath })).text(), "started");
    await program.ready();
    const ready = { "/livez": 200, "/startupz": 200, "/readyz": 200, "/healthz": 200 };
    assert.deepEqual(await statuses(port), ready);
  });

  it("follow the drain: readiness fails, the others pass to the end", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const answer = service.request({ path: "/wait?ms=1000" });
    await accepted(service.dir, 1);
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    const draining = { "/livez": 200, "/startupz": 200, "/readyz": 503, "/healthz": 503 };
    assert.deepEqual(await statuses(service.opsPort), draining);
    assert.match((await service.ops("/readyz/phase")).text(), /phase is draining/);
    assert.equal((await answer).status, 200);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("follow the app's own health check", async (t) => {
    const file = join(await tempDir(t), "unhealthy");
    const service = await serveApp(t, "lifecycle.mjs", { env: { HEALTH_FILE: file } });
    assert.equal((await service.ops("/readyz")).status, 200);
    await writeFile(file, "");
    const failed = await eventually(
      DEADLINE_MS,
      async () => {
        const answer = await service.ops("/readyz/app");
        return answer.status === 503 ? answer : undefined;
      },
      "the health check to fail",
    );
    assert.match(failed.text(), new RegExp(`${file} exists`));
    assert.deepEqual(await statuses(service.opsPort), {
      "/livez": 200,
      "/startupz": 200,
      "/readyz": 503,
      "/healthz": 503,
    });
    assert.equal((await service.ops("/readyz?exclude=app")).status, 200);
  });
});

describe("the answer to a probe", () => {
  it("lists every check on request", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    assert.equal((await service.ops("/readyz")).text(), "ok");
    assert.equal(
      (await service.ops("/readyz?verbose")).text(),
      "[+]phase ok\n[+]workers ok\n[+]app ok\n[+]endpoints ok\nreadyz check passed\n",
    );
    assert.equal(
      (await service.ops("/readyz?verbose&exclude=app&exclude=workers")).text(),
      "[+]phase ok\n[+]workers excluded: ok\n[+]app excluded: ok\n[+]endpoints ok\nreadyz check passed\n",
    );
    assert.equal((await service.ops("/readyz/endpoints")).status, 200);
    assert.equal((await service.ops("/readyz/nonsense")).status, 404);
    assert.equal((await service.ops("/nonsense")).status, 404);
  });

  it("has no body for HEAD, and the same head", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    for (const path of [...PATHS, "/status"]) {
      const get = await service.ops(path);
      const head = await service.ops(path, { method: "HEAD" });
      assert.deepEqual([head.status, head.body.length], [get.status, 0], path);
      assert.equal(head.headers["content-type"], get.headers["content-type"], path);
      assert.equal(head.headers["cache-control"], "no-store", path);
      assert.ok(get.body.length < 10_240, path);
    }
    assert.equal((await service.ops("/livez", { method: "POST" })).status, 405);
  });

  it("is application/health+json for those who ask", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const accept = { headers: { accept: "application/health+json" } };
    const { headers, json } = await service.ops("/readyz", accept);
    assert.match(headers["content-type"] ?? "", /^application\/health\+json/);
    const { status, checks } = json() as { status: string; checks: object };
    assert.deepEqual(
      [status, Object.keys(checks)],
      ["pass", ["phase", "workers", "app", "endpoints"]],
    );
  });

  it("does not depend on a Host header, and ignores what it says", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const client = await RawClient.open(t, { host: "127.0.0.1", port: service.opsPort });
    client.send("GET /livez HTTP/1.1\r\n\r\n");
    assert.match(await client.until(/ok$/), /^HTTP\/1.1 200 OK\r\n/);
    const headers = { host: "evil.example" };
    assert.equal((await service.ops("/livez", { headers })).status, 200);
  });
});

describe("/status", () => {
  it("tells the state of everything as JSON", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    await service.request({ path: "/" });
    const { headers, json } = await service.ops("/status");
    assert.match(headers["content-type"] ?? "", /^application\/json/);
    const status = json() as {
      phase: string;
      ready: boolean;
      endpoints: { name: string; transport: string; address: string; up: boolean }[];
      workers: { wanted: number; slots: { pid: number; state: string }[] };
      supervisor: { pid: number };
    };
    assert.deepEqual([status.phase, status.ready], ["ready", true]);
    const [endpoint] = status.endpoints;
    assert.deepEqual(
      [endpoint?.name, endpoint?.transport, endpoint?.address, endpoint?.up],
      ["app", "unix", service.socketPath, true],
    );
    assert.equal(status.supervisor.pid, service.program.pid);
    assert.deepEqual(
      status.workers.slots.map(({ pid, state }) => ({ pid, state })),
      service.program.workerPids().map((pid) => ({ pid, state: "ready" })),
    );
  });
});

describe("load balancers that only connect", () => {
  /** Fails unless the program has as many descriptors as before, and said nothing above debug. */
  async function assertUntouched(
    { program }: Serving,
    before: { readonly descriptors: number; readonly lines: number },
  ): Promise<void> {
    await eventually(
      DEADLINE_MS,
      async () => (await openDescriptors(program.pid)).length <= before.descriptors || undefined,
      `${before.descriptors} descriptors`,
    );
    const loud = program.lines.slice(before.lines).filter(({ level = 0 }) => level >= INFO);
    assert.deepEqual(loud, []);
  }

  async function stateOf({ program }: Serving): Promise<{ descriptors: number; lines: number }> {
    const { length } = await openDescriptors(program.pid);
    return { descriptors: length, lines: program.lines.length };
  }

  it("and speak something else cost no more than a debug line", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--log-level", "debug"] });
    await service.ops("/livez");
    const before = await stateOf(service);
    for (const bytes of [
      "PROXY TCP4 10.0.0.1 10.0.0.2 1234 9464\r\nGET /livez HTTP/1.1\r\n\r\n",
      "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
      "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    ]) {
      const client = await RawClient.open(t, { host: "127.0.0.1", port: service.opsPort });
      assert.match(await client.send(bytes).ended(), /^HTTP\/1.1 400 /);
      await client.close();
    }
    await assertUntouched(service, before);
  });
});
