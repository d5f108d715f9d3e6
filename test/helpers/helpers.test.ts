import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { within } from "./deadline.ts";
import { forAll } from "./for-all.ts";
import { request } from "./http.ts";
import { countRows, kernelRows, kernelRowsIn, openDescriptors } from "./kernel.ts";
import { Metrics } from "./metrics.ts";
import { needs } from "./needs.ts";
import { startNginx } from "./nginx.ts";
import { runningInGroup, startGroup } from "./process-group.ts";
import { createChance } from "./random.ts";
import { onEnd, type Scope } from "./scope.ts";
import { shrink } from "./shrink.ts";
import { tempDir } from "./temp-dir.ts";

async function serve(scope: Scope, path: string): Promise<Server> {
  const server = createServer((incoming, response) => {
    response.setHeader("trailer", "x-end");
    response.addTrailers({ "x-end": "yes" });
    incoming.pipe(response);
  }).listen(path);
  await once(server, "listening");
  onEnd(scope, () => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

/** A scope whose end the test decides. */
function createScope(): { readonly scope: Scope; readonly end: () => Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<() => Promise<void>>();
  return { scope: { after: resolve }, end: async () => await (await promise)() };
}

describe("within", () => {
  it("names what was awaited in vain", async () => {
    await assert.rejects(
      within(1, new Promise(() => {}), "the moon"),
      /Waited 1 ms in vain for the moon/,
    );
  });
});

describe("onEnd", () => {
  it("closes last what was opened first, whatever fails", async () => {
    const { scope, end } = createScope();
    const calls: number[] = [];
    onEnd(scope, () => calls.push(1));
    onEnd(scope, () => Promise.reject(new Error("second")));
    onEnd(scope, () => calls.push(3));
    await assert.rejects(end(), /second/);
    assert.deepEqual(calls, [3, 1]);
  });
});

describe("createChance", () => {
  it("draws the same for a seed, and something else for the next", () => {
    const drawn = [1, 2, 1, 0].map((seed) => createChance(seed).list(20, createChance(seed).next));
    assert.deepEqual(drawn[0], drawn[2]);
    assert.equal(new Set(drawn.map((numbers) => numbers[0])).size, 3);
  });

  it("draws everything there is about as often", () => {
    const { pick } = createChance(5);
    const drawn = Map.groupBy(
      Array.from({ length: 3_000 }, () => pick(["a", "b", "c"])),
      String,
    );
    for (const [item, { length }] of drawn) assert.ok(Math.abs(length - 1_000) < 100, item);
    assert.equal(drawn.size, 3);
  });
});

describe("forAll", () => {
  it("names the seed and the case that does not hold", () => {
    const check = (drawn: number): void => assert.ok(drawn < 90, "too large");
    assert.throws(
      () => forAll({ draw: ({ below }) => below(100), check }),
      /^Error: Does not hold for seed \d+: 9\d\ntoo large/,
    );
    forAll({ draw: ({ below }) => below(90), check });
  });
});

describe("shrink", () => {
  it("leaves what a failure needs", async () => {
    const sequence = Array.from({ length: 100 }, (_, index) => index);
    const fails = (shorter: readonly number[]): Promise<boolean> =>
      Promise.resolve([3, 57, 58].every((needed) => shorter.includes(needed)));
    assert.deepEqual(await shrink(sequence, fails), [3, 57, 58]);
  });
});

describe("startGroup", () => {
  it("kills a group that still runs", async () => {
    const { scope, end } = createScope();
    const group = startGroup(scope, "sh", { args: ["-c", "sleep 60 & sleep 60"] });
    await end();
    assert.deepEqual(await group.closed, { code: null, signal: "SIGKILL" });
    assert.deepEqual(runningInGroup(group.pid), []);
  });

  it("fails when the first process left others behind", { timeout: 20_000 }, async () => {
    const { scope, end } = createScope();
    const group = startGroup(scope, "sh", { args: ["-c", "sleep 60 >/dev/null 2>&1 & exit 3"] });
    assert.deepEqual(await group.closed, { code: 3, signal: null });
    await assert.rejects(end(), /left processes \d+ behind/);
  });
});

describe("kernelRows", () => {
  it("counts listeners, accepted and queued connections by path", () => {
    const table = [
      "Num       RefCount Protocol Flags    Type St Inode Path",
      "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/a.sock",
      "0000000000000000: 00000003 00000000 00000000 0001 03 12346 /run/a.sock",
      "0000000000000000: 00000003 00000000 00000000 0001 02     7 /run/a.sock",
      "0000000000000000: 00000003 00000000 00000000 0001 03 12348 /run/other",
      "0000000000000000: 00000003 00000000 00000000 0001 03 12349",
      "",
    ].join("\n");
    const rows = countRows(table, (path) => path === "/run/a.sock");
    assert.deepEqual(rows, { listening: 1, accepted: 1, queued: 1 });
  });

  it("sees a real connection", async (t) => {
    const dir = await tempDir(t);
    const server = await serve(t, join(dir, "s"));
    const client = connect(join(dir, "s"));
    await once(server, "connection");
    assert.deepEqual(await kernelRowsIn(dir), { listening: 1, accepted: 1, queued: 0 });
    assert.deepEqual(await kernelRows(join(dir, "t")), { listening: 0, accepted: 0, queued: 0 });
    client.destroy();
  });

  it("lists the descriptors of a process", async () => {
    assert.ok(
      (await openDescriptors(process.pid)).some((target) => target.startsWith("anon_inode:")),
    );
  });
});

describe("Metrics", () => {
  const metrics = new Metrics(`# HELP a_total Things
# TYPE a_total counter
a_total{x="1",b="q\\"}"} 2
a_total{x="2"} 3e2
# TYPE up gauge
up 1
`);

  it("finds samples by name and labels", () => {
    assert.equal(metrics.value("a_total", { x: "1" }), 2);
    assert.equal(metrics.value("up"), 1);
    assert.equal(metrics.value("down"), undefined);
    assert.equal(metrics.sum("a_total"), 302);
  });

  it("tells counters from gauges", () => {
    assert.deepEqual([...metrics.counters().values()], [2, 300]);
    assert.deepEqual(
      [...metrics.toMap().keys()],
      ['a_total{b="q\\"}",x="1"}', 'a_total{x="2"}', "up"],
    );
  });
});

describe("request", () => {
  it("sends a body and reads body and trailers", async (t) => {
    const socketPath = join(await tempDir(t), "s");
    await serve(t, socketPath);
    const response = await request({ socketPath, path: "/x", body: "ping" });
    assert.deepEqual(
      [response.status, response.text(), response.trailers],
      [200, "ping", { "x-end": "yes" }],
    );
  });

  it("rejects when nobody listens", async (t) => {
    const socketPath = join(await tempDir(t), "s");
    await assert.rejects(request({ socketPath }), { code: "ENOENT" });
  });
});

describe("startNginx", () => {
  it("passes requests to a Unix socket and quits", needs("nginx"), async (t) => {
    const dir = await tempDir(t);
    await serve(t, join(dir, "app.sock"));
    const nginx = await startNginx(t, {
      dir,
      socket: join(dir, "app.sock"),
      workerShutdownTimeout: "1s",
    });
    const response = await request({ port: nginx.port, body: "through nginx" });
    assert.equal(response.text(), "through nginx");
    assert.deepEqual(await nginx.quit(), { code: 0, signal: null });
    assert.match(await nginx.accessLog(), /^200 200 POST \/$/m);
  });

  it("listens on a Unix socket and tells what went wrong", needs("nginx"), async (t) => {
    const dir = await tempDir(t);
    const listenPath = join(dir, "front.sock");
    const nginx = await startNginx(t, { dir, socket: join(dir, "missing.sock"), listenPath });
    assert.equal((await request({ socketPath: listenPath })).status, 502);
    assert.match(await nginx.errorLog(), /No such file or directory/);
  });
});
