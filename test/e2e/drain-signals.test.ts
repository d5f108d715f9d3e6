import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, chown, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EXIT_CODES } from "../../src/errors.ts";
import { answering, serveCode } from "../helpers/app-file.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { openRequest } from "../helpers/http.ts";
import { assertLeavesAfterNginx, startLoadedPod } from "../helpers/loaded-pod.ts";
import { everReady, logged } from "../helpers/log-count.ts";
import { needs, needsRoot } from "../helpers/needs.ts";
import { freePort } from "../helpers/nginx.ts";
import { NOBODY, startProgramAs } from "../helpers/other-user.ts";
import { startProgram } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { fixture, serveApp } from "../helpers/serving.ts";
import {
  accepted,
  assertGone,
  CUT,
  exitTimeMs,
  keepAliveAgent,
  queued,
  STOPPED,
} from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const ECHO_MS = 400;
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

describe("the grace period", () => {
  it("cuts a stuck request, counts it and exits with 4", async (t) => {
    const service = await serveApp(t, "draining.mjs", {
      args: ["--grace-period", "1s"],
      env: { SHUTDOWN_MS: "300" },
    });
    const { socketPath } = service;
    const { request, response } = openRequest({ socketPath, path: "/hang" });
    request.end();
    await service.program.line(({ app }) => app === "hanging");
    service.program.signal("SIGTERM");
    const ending = exitTimeMs(service.program);
    await assert.rejects(within(DEADLINE_MS, response, "the cut"), { code: "ECONNRESET" });
    // The hook of the app runs now: time enough for a scrape that nobody could take afterwards.
    const metrics = await eventually(
      DEADLINE_MS,
      async () => {
        const scraped = await service.metrics();
        return scraped.value("outrigger_drain_forced_close_total") === 1 ? scraped : undefined;
      },
      "the cut to be counted",
    );
    assert.equal(
      metrics.value("outrigger_endpoint_connections_closed_total", { reason: "forced" }),
      1,
    );
    const tookMs = await ending;
    assert.ok(tookMs >= 950 && tookMs <= 2_000, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), CUT);
    const { forced } = await service.program.line(({ forced }) => forced !== undefined);
    assert.equal(forced, 1);
    await assertGone(service);
  });

  it("ends a worker whose event loop never turns again", async (t) => {
    const service = await serveApp(t, "draining.mjs", { args: ["--grace-period", "1s"] });
    const { request, response } = openRequest({ socketPath: service.socketPath, path: "/spin" });
    request.end();
    await service.program.line(({ app }) => app === "spinning");
    service.program.signal("SIGTERM");
    const ending = exitTimeMs(service.program);
    await assert.rejects(within(DEADLINE_MS, response, "the cut"), { code: "ECONNRESET" });
    const tookMs = await ending;
    assert.ok(tookMs <= 2_000, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), CUT);
    await assertGone(service);
  });

  it("bounds an accept queue that cannot be emptied", async (t) => {
    const service = await serveApp(t, "draining.mjs", { args: ["--grace-period", "1s"] });
    const blocking = service.request({ path: "/block?ms=8000" });
    blocking.catch(() => {});
    await service.program.line(({ app }) => app === "blocking");
    const waiting = await RawClient.open(t, { path: service.socketPath });
    waiting.send(GET);
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs <= 2_000, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), CUT);
    await assertGone(service);
  });
});

describe("a second signal", () => {
  for (const [first, second] of [
    ["SIGTERM", "SIGTERM"],
    ["SIGTERM", "SIGINT"],
    ["SIGINT", "SIGINT"],
    ["SIGQUIT", "SIGTERM"],
  ] as const) {
    it(`cuts what is left: ${first}, ${second}`, async (t) => {
      const service = await serveApp(t, "draining.mjs");
      const { request, response } = openRequest({ socketPath: service.socketPath, path: "/hang" });
      request.end();
      await service.program.line(({ app }) => app === "hanging");
      service.program.signal(first);
      await service.program.line("endpoints withdrawn");
      // Sooner, an interrupt would be taken for the echo of the same key press.
      if (second === "SIGINT") await delay(ECHO_MS);
      service.program.signal(second);
      const tookMs = await exitTimeMs(service.program);
      assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
      await assert.rejects(response, { code: "ECONNRESET" });
      assert.deepEqual(await service.program.exit(), CUT);
      await assertGone(service);
    });
  }
});

describe("an interrupt that comes twice", () => {
  it("drains all the same: npm hands on what the terminal has sent already", async (t) => {
    const service = await serveApp(t, "draining.mjs");
    const answer = service.request({ path: "/wait?ms=800" });
    await accepted(service.dir, 1);
    service.program.signal("SIGINT");
    await service.program.line("stopping");
    service.program.signal("SIGINT");
    assert.equal((await answer).text(), "done\n");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });
});

describe("a second signal when nothing is left to cut", () => {
  it("closes idle connections and still exits with 0", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--drain-delay", "20s"] });
    const agent = keepAliveAgent(t);
    await service.request({ path: "/", agent });
    const silent = await RawClient.open(t, { path: service.socketPath });
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
    assert.equal(await silent.ended(), "");
    assert.deepEqual(await service.program.exit(), STOPPED);
    await assertGone(service);
  });
});

describe("an idle program", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    it(`stops within 500 ms on ${signal}`, async (t) => {
      const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
      service.program.signal(signal);
      const tookMs = await exitTimeMs(service.program);
      assert.deepEqual(await service.program.exit(), STOPPED);
      assert.ok(tookMs < 500, `took ${tookMs} ms`);
      await assertGone(service);
    });
  }

  it("stops without worker processes just as well", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "0"] });
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.deepEqual(await service.program.exit(), STOPPED);
    assert.ok(tookMs < 500, `took ${tookMs} ms`);
    await assertGone(service);
  });

  it("is not ended by SIGHUP, which replaces its workers", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    service.program.signal("SIGHUP");
    await service.program.line("reload done");
    assert.equal((await service.request({ path: "/" })).status, 200);
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("is not ended by SIGUSR2, which announces the drain", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    service.program.signal("SIGUSR2");
    await service.program.line("drain announced");
    assert.equal((await service.request({ path: "/" })).status, 200);
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });
});

describe("a signal to the whole process group", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
    it(`drains on ${signal} as a signal to the supervisor does`, async (t) => {
      const service = await serveApp(t, "draining.mjs", { args: ["--workers", "2"] });
      const answer = service.request({ path: "/wait?ms=800" });
      await accepted(service.dir, 1);
      process.kill(-service.program.pid, signal);
      assert.equal((await answer).text(), "done\n");
      assert.deepEqual(await service.program.exit(), STOPPED);
      await assertGone(service);
    });
  }

  for (const [signal, done] of [
    ["SIGHUP", "reload done"],
    ["SIGTTIN", "grow done"],
    ["SIGTTOU", "shrink done"],
  ] as const) {
    it(`lets no worker die of ${signal}, nor stop`, async (t) => {
      const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
      await everReady(service.program, 2);
      process.kill(-service.program.pid, signal);
      await service.program.line(done);
      process.kill(-service.program.pid, "SIGUSR2");
      await service.program.line("drain announced");
      assert.equal((await service.request({ path: "/" })).status, 200);
      assert.equal(await service.sum("outrigger_worker_restarts_total", { reason: "crash" }), 0);
      service.program.signal("SIGTERM");
      assert.deepEqual(await service.program.exit(), STOPPED);
    });
  }
});

describe("a signal to the whole process group under load", needs("nginx"), () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    it(`loses nothing before nginx has gone: ${signal}`, async (t) => {
      const pidFile = join(await tempDir(t), "nginx.pid");
      const args = ["--drain-until-gone", pidFile, "--grace-period", "20s"];
      const pod = await startLoadedPod(t, { workers: 2, args, pidFile });
      const { program } = pod.service;
      for (const harmless of ["SIGHUP", "SIGTTIN", "SIGTTOU"] as const)
        process.kill(-program.pid, harmless);
      await program.line("shrink done");
      await pod.load.answers(20);
      process.kill(-program.pid, signal);
      await program.line("draining");
      await assertLeavesAfterNginx(pod);
    });
  }
});

describe("a crash loop", () => {
  it("does not keep the program for its whole grace period", async (t) => {
    const service = await serveCode(t, answering("one"), { args: ["--grace-period", "60s"] });
    await service.rewrite("throw new Error('no good');");
    for (const pid of service.program.workerPids()) process.kill(pid, "SIGKILL");
    await logged(service.program, "worker exited", 3);
    const waiting = await RawClient.open(t, { path: service.socketPath });
    waiting.send(GET);
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs > 4_500 && tookMs < 9_000, `took ${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), STOPPED);
    const { reason } = await service.program.line("accept queue was not emptied");
    assert.equal(reason, "each worker that is started fails");
    await assertGone(service);
  });

  it("that has ended by then serves who waited", async (t) => {
    const service = await serveCode(t, answering("one"), { args: ["--grace-period", "60s"] });
    await service.rewrite("throw new Error('no good');");
    for (const pid of service.program.workerPids()) process.kill(pid, "SIGKILL");
    await logged(service.program, "worker exited", 3);
    const answer = service.request({ path: "/" });
    await queued(service.dir, 1);
    service.program.signal("SIGTERM");
    await service.rewrite(answering("two"));
    assert.equal((await answer).text(), "two");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });
});

describe("what cannot be cleaned up", () => {
  it("makes the exit code 1", needsRoot(), async (t) => {
    const dir = await tempDir(t);
    await chown(dir, NOBODY, NOBODY);
    const program = startProgramAs(t, NOBODY, {
      args: [
        fixture("hello.mjs"),
        "--socket",
        join(dir, "app.sock"),
        "--ops",
        "off",
        "--workers",
        "1",
      ],
    });
    await program.ready();
    // From now on nobody may remove a file there.
    await chown(dir, 0, 0);
    await chmod(dir, 0o755);
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), { code: EXIT_CODES.failure, signal: null });
    await program.line("close failed");
  });
});

describe("a signal during the start", () => {
  for (const signals of [["SIGTERM"], ["SIGINT", "SIGINT"]] as const) {
    it(`gives the start up and leaves nothing: ${signals.join(", ")}`, async (t) => {
      const dir = await tempDir(t);
      const socketPath = join(dir, "app.sock");
      const opsPort = await freePort();
      const program = startProgram(t, {
        args: [
          fixture("slow-start.mjs"),
          ...["--socket", socketPath, "--ops", `127.0.0.1:${opsPort}`, "--workers", "1"],
        ],
        env: { START_MS: "10000" },
      });
      await eventually(
        DEADLINE_MS,
        async () => (await readdir(dir)).length > 0 || undefined,
        "the socket to be bound",
      );
      for (const signal of signals) program.signal(signal);
      const tookMs = await exitTimeMs(program);
      assert.ok(tookMs < 1_500, `took ${tookMs} ms`);
      assert.deepEqual(await program.exit(), STOPPED);
      assert.equal(existsSync(socketPath), false);
    });
  }
});
