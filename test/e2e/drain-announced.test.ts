import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Agent, ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { serve } from "../../src/index.ts";
import { eventually } from "../helpers/deadline.ts";
import { openRequest, request } from "../helpers/http.ts";
import { knockPort } from "../helpers/knock.ts";
import { assertLeavesAfterNginx, startLoadedPod } from "../helpers/loaded-pod.ts";
import { errorLines, timesLogged } from "../helpers/log-count.ts";
import { needs, needsPidNamespace, needsRoot } from "../helpers/needs.ts";
import { freePort } from "../helpers/nginx.ts";
import { NOBODY, startProgramAs } from "../helpers/other-user.ts";
import { firstProcessOf, UNSHARE, unshareWithShell } from "../helpers/pid-namespace.ts";
import { portOf, startProgram } from "../helpers/program.ts";
import { runProgram } from "../helpers/run-program.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { assertGone, CUT, exitTimeMs, keepAliveAgent, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const DONE = { code: 0, signal: null, stdout: "", stderr: "" };

function opsOf({ opsPort }: Serving): string {
  return `127.0.0.1:${opsPort}`;
}

/** Runs `outrigger drain`, which says nothing when all is well; resolves to how long that took. */
async function announce(t: Scope, service: Serving, ...args: string[]): Promise<number> {
  const startMs = performance.now();
  assert.deepEqual(await runProgram(t, ["drain", "--ops", opsOf(service), ...args]), DONE);
  return performance.now() - startMs;
}

/** Time from one line of the log to another. */
function betweenMs({ program }: Serving, first: string, second: string): number {
  const [from, to] = [first, second].map(
    (msg) => program.lines.find((line) => line.msg === msg)?.["time"],
  );
  return Number(to) - Number(from);
}

/** What a response says of the connection, asked for on one that would be kept. */
async function connectionHeader({ request: ask }: Serving, agent: Agent): Promise<unknown> {
  const { status, headers } = await ask({ path: "/", agent });
  assert.equal(status, 200);
  return headers.connection;
}

describe("outrigger drain", () => {
  it("fails readiness, says goodbye and serves until a stop signal finishes it", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--probe", "127.0.0.1:0"] });
    const { program, socketPath } = service;
    const probe = { host: "127.0.0.1", port: portOf(String((await program.ready())["probe"])) };
    const agent = keepAliveAgent(t);
    assert.equal(await connectionHeader(service, agent), "keep-alive");
    assert.equal(await knockPort(probe), "connected");

    await announce(t, service);
    assert.equal((await service.ops("/readyz")).status, 503);
    assert.equal((await service.ops("/healthz")).status, 503);
    assert.equal((await service.ops("/livez")).status, 200);
    assert.equal(await knockPort(probe), "ECONNREFUSED");
    await program.line("announcing close");
    await eventually(
      DEADLINE_MS,
      async () => (await connectionHeader(service, agent)) === "close" || undefined,
      "a goodbye",
    );
    assert.equal(existsSync(socketPath), true);
    const metrics = await service.metrics();
    assert.equal(metrics.value("outrigger_state", { state: "draining" }), 1);

    await announce(t, service);
    assert.equal(timesLogged(program, "drain announced"), 1);
    assert.equal((await service.request({ path: "/" })).status, 200);
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
    await assertGone(service);
    assert.deepEqual(errorLines(program), []);
  });

  it("counts the time it was announced towards --drain-delay", async (t) => {
    const args = ["--drain-delay", "2s"];
    const service = await serveApp(t, "hello.mjs", { args });
    const agent = keepAliveAgent(t);
    await announce(t, service);
    assert.equal(timesLogged(service.program, "announcing close"), 0);
    assert.equal(await connectionHeader(service, agent), "keep-alive");
    await service.program.line("announcing close");
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), STOPPED);
    const tookMs = betweenMs(service, "stopping", "endpoints withdrawn");
    assert.ok(tookMs < 1_900, `the delay was waited for again: ${tookMs} ms`);
  });

  it("leaves the rest of --drain-delay to the stop signal", async (t) => {
    const args = ["--drain-delay", "3s"];
    const service = await serveApp(t, "hello.mjs", { args });
    await announce(t, service);
    service.program.signal("SIGTERM");
    await service.program.line("stopping");
    assert.equal((await service.request({ path: "/" })).status, 200);
    await service.program.exit();
    const delayMs = betweenMs(service, "drain announced", "announcing close");
    assert.ok(delayMs >= 2_950, `${delayMs} ms after the announcement`);
  });

  it("begins the grace period at the stop signal", async (t) => {
    const service = await serveApp(t, "draining.mjs", { args: ["--grace-period", "1s"] });
    await announce(t, service, "--wait", "1500ms");
    const { request: sent, response } = openRequest({
      socketPath: service.socketPath,
      path: "/hang",
    });
    sent.end();
    await service.program.line(({ app }) => app === "hanging");
    service.program.signal("SIGTERM");
    const ending = exitTimeMs(service.program);
    await assert.rejects(response, { code: "ECONNRESET" });
    const tookMs = await ending;
    assert.ok(tookMs >= 950 && tookMs < 3_000, `${tookMs} ms`);
    assert.deepEqual(await service.program.exit(), CUT);
  });

  it("returns with --wait when the drain was announced that long ago, by whomever", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    assert.ok((await announce(t, service, "--wait", "4s")) >= 3_950);
    const againMs = await announce(t, service, "--wait", "4s");
    assert.ok(againMs < 3_900, `${againMs} ms`);
  });

  it("announced during the start, lets nobody come in when that is done", async (t) => {
    const dir = await tempDir(t);
    const [ops, port] = [await freePort(), await freePort()];
    const program = startProgram(t, {
      args: [
        fixture("slow-start.mjs"),
        ...["--listen", join(dir, "app.sock"), "--workers", "1"],
        ...["--ops", `127.0.0.1:${ops}`, "--probe", `127.0.0.1:${port}`],
      ],
      env: { START_MS: "3000" },
    });
    await eventually(
      DEADLINE_MS,
      () => request({ port: ops, path: "/livez" }).catch(() => undefined),
      "the ops endpoint",
    );
    const args = ["drain", "--ops", `127.0.0.1:${ops}`];
    assert.deepEqual(await runProgram(t, args), DONE);
    assert.deepEqual(await runProgram(t, args), DONE);
    assert.equal(timesLogged(program, "ready"), 0);
    await program.ready();
    assert.equal((await request({ port: ops, path: "/startupz" })).status, 200);
    assert.equal((await request({ port: ops, path: "/readyz" })).status, 503);
    assert.equal(timesLogged(program, "probe port open"), 0);
    assert.equal((await request({ socketPath: join(dir, "app.sock") })).text(), "started");
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
  });

  it("keeps the socket and the workers in service meanwhile", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const [before] = service.program.workerPids();
    assert.ok(before !== undefined);
    await announce(t, service);
    process.kill(before, "SIGKILL");
    const successor = await service.request({ path: "/pid" });
    assert.notEqual(Number(successor.text()), before);
    const agent = keepAliveAgent(t);
    await eventually(
      DEADLINE_MS,
      async () => (await connectionHeader(service, agent)) === "close" || undefined,
      "a goodbye of the new worker",
    );
    service.program.signal("SIGHUP");
    await service.program.line("reload failed");
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("does not keep a successor from taking over", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    await announce(t, service);
    const after = startProgram(t, {
      args: [
        ...[fixture("hello.mjs"), "--listen", service.socketPath, "--workers", "1"],
        ...["--ops", opsOf(service), "--takeover"],
      ],
    });
    await after.ready();
    assert.deepEqual(await service.program.exit(), STOPPED);
    assert.equal((await request({ socketPath: service.socketPath })).text(), "hello\n");
    assert.equal((await service.ops("/readyz")).status, 200);
  });

  it("works where the app runs in the process of the supervisor", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "0"] });
    await announce(t, service);
    assert.equal((await service.ops("/readyz")).status, 503);
    assert.equal((await service.request({ path: "/" })).status, 200);
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });

  it("adds nothing to a drain that a signal began", async (t) => {
    const file = join(await tempDir(t), "nginx.pid");
    await writeFile(file, "");
    const args = ["--drain-until-gone", file];
    const service = await serveApp(t, "hello.mjs", { args });
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    await announce(t, service);
    assert.equal(timesLogged(service.program, "drain announced"), 0);
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), STOPPED);
  });
});

describe("outrigger drain in a pod under load", needs("nginx"), () => {
  it("loses nothing, neither while it is announced nor when nginx and it are stopped", async (t) => {
    const pidFile = join(await tempDir(t), "nginx.pid");
    const args = ["--drain-until-gone", pidFile, "--grace-period", "20s"];
    const pod = await startLoadedPod(t, { workers: 2, args, pidFile });
    await announce(t, pod.service);
    await pod.load.answers(200);
    pod.service.program.signal("SIGTERM");
    await pod.service.program.line("stopping");
    await assertLeavesAfterNginx(pod);
  });

  it("loses nothing while every response says goodbye", async (t) => {
    const pod = await startLoadedPod(t, { workers: 2 });
    await announce(t, pod.service);
    await pod.service.program.line("announcing close");
    await pod.load.answers(300);
    pod.nginx.signal("SIGQUIT");
    await Promise.all([pod.load.refused(), pod.nginx.exit(20_000)]);
    assert.deepEqual(pod.load.failures, []);
    assert.doesNotMatch(await pod.nginx.errorLog(), /upstream|connect\(\)/);
    pod.service.program.signal("SIGTERM");
    assert.deepEqual(await pod.service.program.exit(), STOPPED);
  });
});

describe("outrigger drain and pid namespaces", needsPidNamespace(), () => {
  for (const [what, wrapper] of [
    ["with a shell as PID 1", UNSHARE],
    ["without a shell in the image", unshareWithShell("/dev/null")],
  ] as const) {
    it(`announces in the container, and signals nobody from beside it: ${what}`, async (t) => {
      const service = await serveApp(t, "hello.mjs", { wrapper });
      // The network is shared and the pid is not, as among the containers of a pod.
      const beside = await runProgram(t, ["drain", "--ops", opsOf(service)]);
      assert.deepEqual([beside.code, beside.stdout], [1, ""]);
      assert.match(
        beside.stderr,
        /^outrigger: Cannot announce the drain: process \d+ cannot be seen to listen on 127\.0\.0\.1:\d+ from here; run this in the container of outrigger, as the same user \(uid \d+ now\)\n$/,
      );
      assert.equal((await service.ops("/readyz")).status, 200);

      const target = String(firstProcessOf(service.program));
      const inside = ["nsenter", "--target", target, "--pid", "--mount"];
      const args = ["drain", "--ops", opsOf(service)];
      assert.deepEqual(await runProgram(t, args, { wrapper: inside }), DONE);
      assert.equal((await service.ops("/readyz")).status, 503);
      process.kill(Number(target), "SIGTERM");
      assert.deepEqual(await service.program.exit(), STOPPED);
    });
  }
});

describe("outrigger drain is refused", () => {
  it("to another user", needsRoot(), async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const stranger = startProgramAs(t, NOBODY, { args: ["drain", "--ops", opsOf(service)] });
    assert.deepEqual(await stranger.exit(), { code: 1, signal: null });
    assert.match(stranger.stderr, /as the same user \(uid 65534 now\)\n$/);
    assert.equal((await service.ops("/readyz")).status, 200);
  });

  it("by a program that embeds the library, which takes no signals", async (t) => {
    const server = await serve({
      app: (_req: unknown, res: ServerResponse) => void res.end("embedded"),
      listen: [{ host: "127.0.0.1", port: 0 }],
      ops: { port: 0 },
    });
    onEnd(t, () => server.close());
    const ops = `127.0.0.1:${server.ops?.port}`;
    const { code, stderr } = await runProgram(t, ["drain", "--ops", ops]);
    assert.equal(code, 1);
    assert.match(stderr, /process \d+ takes no signal for it: it uses outrigger as a library\n$/);
  });

  it("where nobody answers, or somebody else does", async (t) => {
    const port = await freePort();
    const nobody = await runProgram(t, ["drain", "--ops", `127.0.0.1:${port}`]);
    assert.equal(nobody.code, 1);
    assert.match(
      nobody.stderr,
      /^outrigger: Cannot reach the ops endpoint .*nobody listens there\n$/,
    );
    const off = await runProgram(t, ["drain", "--ops", "off"]);
    assert.equal(off.code, 2);
  });
});
