import assert from "node:assert/strict";
import { existsSync, watch } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { within } from "../helpers/deadline.ts";
import { Load } from "../helpers/load.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx, type Nginx } from "../helpers/nginx.ts";
import { onEnd } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { assertGone, exitTimeMs, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;

/** Resolves with the instant at which a file that exists is gone. */
async function goneAtMs(t: TestContext, path: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const watcher = watch(dirname(path), (_event, name) => {
    if (name === basename(path) && !existsSync(path)) resolve(performance.now());
  });
  onEnd(t, () => watcher.close());
  return await promise;
}

describe("stopping behind nginx", needs("nginx"), () => {
  interface Pod {
    readonly service: Serving;
    readonly nginx: Nginx;
    readonly load: Load;
    readonly pidFileGone: Promise<number>;
  }

  async function startPod(t: TestContext, proxyRequestBuffering: "on" | "off"): Promise<Pod> {
    const dir = await tempDir(t);
    const pidFile = join(dir, "nginx.pid");
    const service = await serveApp(t, "hello.mjs", {
      args: ["--drain-until-gone", pidFile, "--grace-period", "20s", "--access-log", "off"],
    });
    const nginx = await startNginx(t, {
      dir,
      pidFile,
      proxyRequestBuffering,
      socket: service.socketPath,
      keepalive: 8,
    });
    const load = new Load({ port: nginx.port });
    await load.answers(100);
    return { service, nginx, load, pidFileGone: goneAtMs(t, pidFile) };
  }

  /** Nothing nginx accepted went wrong, and the app left as soon as nginx had. */
  async function assertNothingLost({ service, nginx, load, pidFileGone }: Pod): Promise<void> {
    const appExit = service.program.exit().then((exit) => ({ exit, atMs: performance.now() }));
    await Promise.all([load.refused(), nginx.exit(20_000)]);
    const { exit, atMs } = await appExit;
    const goneMs = await within(DEADLINE_MS, pidFileGone, "the pid file to go");
    assert.deepEqual(load.failures, []);
    assert.doesNotMatch(await nginx.errorLog(), /upstream|connect\(\)/);
    const answers = (await nginx.accessLog()).trim().split("\n");
    assert.deepEqual(
      answers.filter((line) => !line.startsWith("200 200 ")),
      [],
    );
    assert.ok(answers.length >= load.answered, `${load.answered} answers, ${answers.length} lines`);
    assert.deepEqual(exit, STOPPED);
    assert.ok(atMs > goneMs, "the app left before nginx");
    // Of a grace period of 20 s; how soon it is on a machine without such load is tested below.
    assert.ok(atMs - goneMs < 2_000, `the app left ${Math.round(atMs - goneMs)} ms after nginx`);
    await assertGone(service);
  }

  for (const buffering of ["on", "off"] as const) {
    describe(`with proxy_request_buffering ${buffering}`, () => {
      it("loses nothing when the app is told first", async (t) => {
        const pod = await startPod(t, buffering);
        pod.service.program.signal("SIGTERM");
        await pod.service.program.line("draining");
        // A whole round of slow uploads begins and ends while the app waits for nginx to go.
        await pod.load.answers(300);
        assert.ok((await pod.load.taken()) > 0);
        assert.equal(pod.load.outcomes.length, pod.load.answered, "nginx refused before its turn");
        pod.nginx.signal("SIGQUIT");
        await assertNothingLost(pod);
      });

      it("loses nothing when nginx is told first", async (t) => {
        const pod = await startPod(t, buffering);
        assert.ok((await pod.load.taken()) > 0);
        pod.nginx.signal("SIGQUIT");
        await pod.load.refused();
        pod.service.program.signal("SIGTERM");
        await assertNothingLost(pod);
      });

      it("loses nothing when nginx is told first and still has bodies to read", async (t) => {
        const pod = await startPod(t, buffering);
        assert.ok((await pod.load.taken()) > 0);
        pod.nginx.signal("SIGQUIT");
        await pod.load.answers(1);
        pod.service.program.signal("SIGTERM");
        await assertNothingLost(pod);
      });

      it("loses nothing when both are told at once", async (t) => {
        const pod = await startPod(t, buffering);
        assert.ok((await pod.load.taken()) > 0);
        pod.service.program.signal("SIGTERM");
        pod.nginx.signal("SIGQUIT");
        await assertNothingLost(pod);
      });
    });
  }
});

describe("--drain-until-gone", () => {
  it("accepts until the file is gone, then leaves within 500 ms", async (t) => {
    const file = join(await tempDir(t), "proxy.pid");
    await writeFile(file, "1");
    const service = await serveApp(t, "hello.mjs", { args: ["--drain-until-gone", file] });
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    // Without a single connection open: nginx drops its own before it comes again.
    const { status, headers } = await service.request({ path: "/" });
    assert.deepEqual([status, headers.connection === "close"], [200, true]);
    await rm(file);
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 500, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("is bounded by the grace period when the file never goes", async (t) => {
    const file = join(await tempDir(t), "proxy.pid");
    await writeFile(file, "1");
    const service = await serveApp(t, "hello.mjs", {
      args: ["--drain-until-gone", file, "--grace-period", "1s"],
    });
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs >= 900 && tookMs <= 2_000, `took ${tookMs} ms`);
    const { file: named } = await service.program.line("file is still there at the deadline");
    assert.equal(named, file);
    assert.deepEqual(await service.program.exit(), STOPPED);
    await assertGone(service);
  });

  it("does not wait for a file that is not there", async (t) => {
    const service = await serveApp(t, "hello.mjs", {
      args: ["--drain-until-gone", "/tmp/or-no-such-file"],
    });
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 500, `took ${tookMs} ms`);
  });
});
