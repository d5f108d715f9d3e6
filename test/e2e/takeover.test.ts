import assert from "node:assert/strict";
import { once } from "node:events";
import { lstat, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { appPath } from "../helpers/apps.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { openRequest, readResponse, request, type Response } from "../helpers/http.ts";
import { knock, knockPort } from "../helpers/knock.ts";
import { Load } from "../helpers/load.ts";
import { assertAllAnswered } from "../helpers/loaded-pod.ts";
import { errorLines, timesLogged } from "../helpers/log-count.ts";
import { scrape } from "../helpers/metrics.ts";
import { needs } from "../helpers/needs.ts";
import { freePort, startNginx } from "../helpers/nginx.ts";
import { makePlace } from "../helpers/place.ts";
import { runningInGroup } from "../helpers/process-group.ts";
import { startProgram, type Program, type ProgramOptions } from "../helpers/program.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { accepted, keepAliveAgent, queued, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const TIMEOUT = { timeout: 60_000 };
const DEADLINE_MS = 15_000;
const CHAIN = 20;
const RIVALS = 5;
const KILLS = 12;
const REFUSED = { code: 3, signal: null };

interface StartOptions extends Partial<ProgramOptions> {
  /** (hello) */
  readonly app?: string;
  /** (127.0.0.1:0) */
  readonly ops?: string;
}

/** Starts the program with a socket; the access log is off, so that its lines can be counted. */
function start(scope: Scope, path: string, options: StartOptions = {}): Program {
  const { app = "hello.mjs", ops = "127.0.0.1:0", args = [], ...rest } = options;
  const workers = args.includes("--workers") ? [] : ["--workers", "1"];
  return startProgram(scope, {
    ...rest,
    args: [
      ...[appPath(app), "--socket", path, "--ops", ops, "--access-log", "off"],
      ...workers,
      ...args,
    ],
  });
}

function takeOver(scope: Scope, path: string, options: StartOptions = {}): Program {
  return start(scope, path, { ...options, args: ["--takeover", ...(options.args ?? [])] });
}

async function startReady(scope: Scope, path: string, options?: StartOptions): Promise<Program> {
  const program = start(scope, path, options);
  await program.ready();
  return program;
}

async function inodeOf(path: string): Promise<number> {
  return (await lstat(path)).ino;
}

/** The pid of the worker behind a path. */
async function workerBehind(path: string): Promise<number> {
  return Number((await request({ socketPath: path, path: "/pid" })).text());
}

async function stopCleanly(program: Program): Promise<void> {
  program.signal("SIGTERM");
  assert.deepEqual(await program.exit(), STOPPED, program.stdout);
}

async function untilGone({ pid }: Program): Promise<void> {
  const isGone = (): true | undefined => (runningInGroup(pid).length === 0 ? true : undefined);
  await eventually(DEADLINE_MS, isGone, `the processes of ${pid} to end`);
}

interface SlowRequest {
  readonly answer: Promise<Response>;
}

/** A slow request, once its response has begun. */
async function startSlow(socketPath: string, chunks: number): Promise<SlowRequest> {
  const { request: sent, response } = openRequest({
    socketPath,
    path: `/chunks?count=${chunks}&ms=100`,
  });
  sent.end();
  const head = await within(DEADLINE_MS, response, "the head of a slow response");
  const answer = readResponse(head);
  answer.catch(() => {});
  return { answer };
}

describe("takeovers in a chain under load", needs("nginx"), () => {
  it(`lose no request: ${CHAIN} of them`, { timeout: 180_000 }, async (t) => {
    const { dir, path } = await makePlace(t);
    const ops = `127.0.0.1:${await freePort()}`;
    const programs = [await startReady(t, path, { ops })];
    const nginx = await startNginx(t, { dir: await tempDir(t), socket: path, keepalive: 16 });
    const load = new Load({ port: nginx.port });
    await load.answers(50);
    for (let round = 1; round <= CHAIN; round += 1) {
      const next = takeOver(t, path, { ops });
      const ready = await next.ready();
      assert.equal(ready.ops, ops);
      await load.answers(10);
      programs.push(next);
    }
    await load.end();
    await assertAllAnswered({ nginx, load });
    const last = programs.pop();
    assert.ok(last);
    for (const program of programs) {
      assert.deepEqual(await program.exit(), STOPPED, program.stdout);
      assert.equal(timesLogged(program, "taken over"), 1);
      assert.deepEqual(errorLines(program), []);
    }
    assert.equal(await workerBehind(path), last.workerPids()[0]);
    const metrics = await scrape(await last.opsPort());
    assert.equal(metrics.sum("outrigger_socket_lost_total"), 0);
    assert.equal(metrics.sum("outrigger_socket_stale_removed_total"), 0);
    const names = await readdir(dir);
    assert.equal(names.length, 2, `one socket with its two names, not ${names.join()}`);
    assert.equal((await lstat(path)).nlink, 2);
    await stopCleanly(last);
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("the one that is taken over", () => {
  it("finishes what it has begun, fails its probe at once and says goodbye", TIMEOUT, async (t) => {
    const { path } = await makePlace(t);
    const old = await startReady(t, path);
    const oldWorker = await workerBehind(path);
    const agent = keepAliveAgent(t);
    await request({ socketPath: path, agent });
    const slow = await startSlow(path, 20);
    const next = takeOver(t, path);
    await next.ready();
    const { by } = await old.line("taken over");
    assert.equal(by, next.pid);
    assert.equal((await next.line("taking over"))["from"], old.pid);
    const opsPort = await old.opsPort();
    assert.equal((await request({ port: opsPort, path: "/readyz" })).status, 503);
    assert.equal((await request({ port: opsPort, path: "/livez" })).status, 200);
    const metrics = await scrape(opsPort);
    assert.equal(metrics.sum("outrigger_socket_lost_total"), 0);
    assert.equal((await request({ port: await next.opsPort(), path: "/readyz" })).status, 200);
    const pooled = await request({ socketPath: path, agent, path: "/pid" });
    if (Number(pooled.text()) === oldWorker) assert.equal(pooled.headers.connection, "close");
    assert.notEqual(await workerBehind(path), oldWorker);
    assert.match((await slow.answer).text(), /chunk 19\n$/);
    assert.deepEqual(await old.exit(), STOPPED);
    assert.equal(timesLogged(old, "endpoints withdrawn"), 0);
    await stopCleanly(next);
  });

  it("says goodbye on a connection that carries a request after the switch", TIMEOUT, async (t) => {
    const { path } = await makePlace(t);
    const old = await startReady(t, path);
    const { request: sent, response } = openRequest({
      socketPath: path,
      method: "POST",
      path: "/upload",
      headers: { "content-length": 4, connection: "keep-alive" },
    });
    sent.write("ab");
    await accepted(join(path, ".."), 1);
    const next = takeOver(t, path);
    await next.ready();
    await old.line("announcing close");
    sent.end("cd");
    const answer = await readResponse(await within(DEADLINE_MS, response, "the response"));
    assert.equal(answer.headers.connection, "close");
    assert.equal(answer.status, 200);
    assert.deepEqual(await old.exit(), STOPPED);
  });

  it("answers what waited in its queue", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const old = await startReady(t, path);
    const oldWorker = await workerBehind(path);
    process.kill(oldWorker, "SIGSTOP");
    const waiting = Array.from({ length: 5 }, () => request({ socketPath: path, path: "/pid" }));
    await queued(dir, 5);
    const next = takeOver(t, path);
    await next.ready();
    process.kill(oldWorker, "SIGCONT");
    for (const answer of await Promise.all(waiting)) {
      assert.equal(Number(answer.text()), oldWorker);
    }
    assert.deepEqual(await old.exit(), STOPPED);
  });

  it("waits neither for its drain delay nor for a file", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const args = ["--drain-delay", "50s", "--grace-period", "60s", "--drain-until-gone", dir];
    const old = await startReady(t, path, { args });
    await takeOver(t, path).ready();
    assert.deepEqual(await old.exit(), STOPPED);
  });

  it("may be one that drains already", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const old = await startReady(t, path, { args: ["--drain-delay", "4s"] });
    old.signal("SIGTERM");
    await old.line("draining");
    const next = takeOver(t, path);
    await next.ready();
    await old.line("taken over");
    const after = await inodeOf(path);
    assert.deepEqual(await old.exit(), STOPPED);
    assert.equal(await inodeOf(path), after);
    await stopCleanly(next);
    assert.deepEqual(await readdir(dir), []);
  });

  it("may serve in its own process, and so may the other", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const args = ["--workers", "0"];
    const old = await startReady(t, path, { args });
    const next = takeOver(t, path, { args });
    await next.ready();
    assert.equal(await workerBehind(path), next.pid);
    assert.deepEqual(await old.exit(), STOPPED);
    await stopCleanly(next);
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("the ops port of both", () => {
  it("changes hands in an instant", TIMEOUT, async (t) => {
    const { path } = await makePlace(t);
    const port = await freePort();
    const ops = `127.0.0.1:${port}`;
    const old = await startReady(t, path, { ops });
    const next = takeOver(t, path, { ops });
    const ready = next.ready();
    let isReady = false;
    void ready.then(() => (isReady = true));
    const failedAtMs: number[] = [];
    let answers = 0;
    while (!isReady) {
      const answer = request({ port, path: "/livez" });
      await answer.then(
        ({ status }) => (assert.equal(status, 200), (answers += 1)),
        () => failedAtMs.push(performance.now()),
      );
    }
    const gapMs = (failedAtMs.at(-1) ?? 0) - (failedAtMs[0] ?? 0);
    t.diagnostic(`${answers} answers, ${failedAtMs.length} failures within ${gapMs.toFixed(1)} ms`);
    assert.ok(answers > 0);
    assert.ok(gapMs < 1_000, `${gapMs} ms without probes`);
    assert.equal((await request({ port, path: "/readyz" })).status, 200);
    assert.deepEqual(await old.exit(), STOPPED);
  });

  it("is refused before anything else when a third process has it", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const other = await makePlace(t);
    const third = await startReady(t, other.path);
    await startReady(t, path);
    const names = await readdir(dir);
    const next = takeOver(t, path, { ops: `127.0.0.1:${await third.opsPort()}` });
    assert.deepEqual(await next.exit(), REFUSED);
    assert.match(next.stderr, /Cannot listen on ops endpoint .*: address already in use/);
    assert.deepEqual(await readdir(dir), names);
  });
});

describe("the probe port of both", () => {
  for (const kind of ["another", "no"]) {
    it(`changes hands with ${kind} ops endpoint`, TIMEOUT, async (t) => {
      const { path } = await makePlace(t);
      const port = await freePort();
      const ops = kind === "no" ? "off" : "127.0.0.1:0";
      const options = { ops, args: ["--probe", `127.0.0.1:${port}`] };
      const old = await startReady(t, path, options);
      const next = takeOver(t, path, options);
      assert.equal((await next.ready())["probe"], `127.0.0.1:${port}`);
      assert.deepEqual(await old.exit(), STOPPED);
      assert.equal(await knockPort({ host: "127.0.0.1", port }), "connected");
      assert.deepEqual([...errorLines(old), ...errorLines(next)], []);
      await stopCleanly(next);
    });
  }

  it("is refused when a stranger has it and nobody serves", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const probe = await startStranger(t);
    const next = takeOver(t, path, { ops: "off", args: ["--probe", probe] });
    assert.deepEqual(await next.exit(), REFUSED);
    assert.match(next.stderr, /Cannot listen on probe port .*: address already in use/);
    assert.deepEqual(await readdir(dir), []);
  });

  it("is refused when a stranger has it, though the ops port would do", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const ops = `127.0.0.1:${await freePort()}`;
    const old = await startReady(t, path, { ops });
    const probe = await startStranger(t);
    const names = await readdir(dir);
    const next = takeOver(t, path, { ops, args: ["--probe", probe] });
    assert.deepEqual(await next.exit(), REFUSED);
    assert.match(next.stderr, /Cannot listen on probe port .*: address already in use/);
    assert.deepEqual(await readdir(dir), names);
    assert.equal((await request({ port: await old.opsPort(), path: "/readyz" })).status, 200);
    await stopCleanly(old);
  });
});

/** The address of somebody who listens on a TCP port. */
async function startStranger(scope: Scope): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  onEnd(scope, () => server.close());
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return `127.0.0.1:${address.port}`;
}

describe("a new version that fails", () => {
  const failing: Readonly<Record<string, StartOptions>> = {
    "cannot be loaded": { app: "broken.mjs" },
    "does not start": { app: "failing-start.mjs" },
    "is stopped while it starts": { app: "slow-start.mjs", env: { START_MS: "20000" } },
  };
  for (const [what, options] of Object.entries(failing)) {
    it(`is not noticed by the old one: it ${what}`, TIMEOUT, async (t) => {
      const { dir, path } = await makePlace(t);
      const old = await startReady(t, path);
      const before = [await inodeOf(path), old.lines.length, (await readdir(dir)).length];
      const slow = await startSlow(path, 10);
      const next = takeOver(t, path, options);
      const isStopped = what.includes("stopped");
      if (isStopped) {
        await next.line("taking over");
        next.signal("SIGTERM");
      }
      assert.deepEqual(await next.exit(), isStopped ? STOPPED : REFUSED);
      assert.match((await slow.answer).text(), /chunk 9\n$/);
      assert.deepEqual(
        [await inodeOf(path), old.lines.length, (await readdir(dir)).length],
        before,
      );
      assert.equal((await request({ port: await old.opsPort(), path: "/readyz" })).status, 200);
      const third = takeOver(t, path);
      await third.ready();
      assert.deepEqual(await old.exit(), STOPPED);
    });
  }
});

describe("a third one", () => {
  it("is refused before, while and after the path changes hands", TIMEOUT, async (t) => {
    const { path } = await makePlace(t);
    const old = await startReady(t, path);
    const slow = await startSlow(path, 60);
    const next = takeOver(t, path, { app: "slow-start.mjs", env: { START_MS: "2500" } });
    await next.line("taking over");
    const [ordinary, rival] = [start(t, path), takeOver(t, path)];
    assert.deepEqual(await ordinary.exit(), REFUSED);
    assert.match(ordinary.stderr, /another process holds its lock \(pid \d+, as it says\)/);
    assert.deepEqual(await rival.exit(), REFUSED);
    const says = `another process is taking it over already \\(pid ${next.pid}, as it says\\)`;
    assert.match(rival.stderr, new RegExp(says));
    await next.ready();
    await old.line("taken over");
    const late = start(t, path);
    assert.deepEqual(await late.exit(), REFUSED);
    assert.match(late.stderr, new RegExp(`holds its lock \\(pid ${next.pid}, as it says\\)`));
    assert.match((await slow.answer).text(), /chunk 59\n$/);
    assert.deepEqual(await old.exit(), STOPPED);
  });

  it(`loses against another that came at the same time: ${RIVALS} rounds`, TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    let serving = await startReady(t, path);
    for (let round = 0; round < RIVALS; round += 1) {
      const options = { app: "slow-start.mjs", env: { START_MS: "1500" } };
      const both = [takeOver(t, path, options), takeOver(t, path, options)] as const;
      const loser = await Promise.race(
        both.map(async (program) => (await program.exit(), program)),
      );
      const winner = loser === both[0] ? both[1] : both[0];
      assert.deepEqual(await loser.exit(), REFUSED);
      const says = `taking it over already \\(pid ${winner.pid}, as it says\\)`;
      assert.match(loser.stderr, new RegExp(says));
      await winner.ready();
      assert.deepEqual(await serving.exit(), STOPPED);
      serving = winner;
    }
    await stopCleanly(serving);
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("kill -9", () => {
  it("of the new one while it starts is not noticed by the old one", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const old = await startReady(t, path);
    const before = [await inodeOf(path), old.lines.length];
    const next = takeOver(t, path, { app: "slow-start.mjs", env: { START_MS: "3000" } });
    await next.line("taking over");
    await eventually(
      DEADLINE_MS,
      async () => ((await readdir(dir)).length === 3 ? true : undefined),
      "its private name",
    );
    next.signal("SIGKILL");
    await untilGone(next);
    assert.deepEqual([await inodeOf(path), old.lines.length], before);
    const third = takeOver(t, path);
    await third.ready();
    assert.deepEqual(await old.exit(), STOPPED);
    await stopCleanly(third);
    assert.deepEqual(await readdir(dir), []);
  });

  it("of the old one makes the new one's an ordinary start", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const old = await startReady(t, path);
    const next = takeOver(t, path, { app: "slow-start.mjs", env: { START_MS: "2000" } });
    await next.line("taking over");
    old.signal("SIGKILL");
    await untilGone(old);
    const third = start(t, path);
    assert.deepEqual(await third.exit(), REFUSED);
    await next.ready();
    assert.equal((await request({ socketPath: path })).text(), "started");
    await stopCleanly(next);
    assert.deepEqual(await readdir(dir), []);
  });

  it("of the old one after it was taken over costs nobody the path", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const old = await startReady(t, path);
    const slow = await startSlow(path, 20);
    const next = takeOver(t, path);
    await next.ready();
    old.signal("SIGKILL");
    assert.match((await slow.answer).text(), /chunk 19\n$/);
    await untilGone(old);
    assert.equal(await workerBehind(path), next.workerPids()[0]);
    await stopCleanly(next);
    assert.deepEqual(await readdir(dir), []);
  });

  it(
    `of the new one leaves one of both to serve: ${KILLS} moments`,
    { timeout: 180_000 },
    async (t) => {
      const { dir, path } = await makePlace(t);
      let serving = await startReady(t, path);
      let taken = 0;
      for (let round = 0; round < KILLS; round += 1) {
        const next = takeOver(t, path);
        await next.line("worker ready");
        // The moment is what is drawn, so nothing is awaited but time.
        await delay((round * 11) % 125);
        next.signal("SIGKILL");
        await untilGone(next);
        const serves = async (): Promise<string> => await knock(path);
        if (timesLogged(serving, "taken over") === 0) {
          const lives = async (): Promise<true | undefined> =>
            (await serves()) === "connected" || timesLogged(serving, "taken over") > 0
              ? true
              : undefined;
          await eventually(DEADLINE_MS, lives, "the old one to serve");
        }
        if (timesLogged(serving, "taken over") === 0) continue;
        taken += 1;
        assert.deepEqual(await serving.exit(), STOPPED);
        serving = takeOver(t, path);
        await serving.ready();
      }
      t.diagnostic(`${taken} of ${KILLS} had taken over before they were killed`);
      await stopCleanly(serving);
      assert.deepEqual(await readdir(dir), []);
    },
  );
});

describe("a takeover where nobody serves", () => {
  it("is an ordinary start", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const first = start(t, path, { env: { OUTRIGGER_TAKEOVER: "true" } });
    await first.ready();
    assert.equal(timesLogged(first, "taking over"), 0);
    first.signal("SIGKILL");
    await untilGone(first);
    const second = takeOver(t, path);
    await second.ready();
    assert.equal(timesLogged(second, "stale socket replaced"), 1);
    await stopCleanly(second);
    assert.deepEqual(await readdir(dir), []);
  });
});
