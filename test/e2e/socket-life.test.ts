import assert from "node:assert/strict";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { randomInt } from "node:crypto";
import http from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { appPath } from "../helpers/apps.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { describeFile } from "../helpers/dir-snapshot.ts";
import { openRequest, readResponse, request, type RequestOptions } from "../helpers/http.ts";
import { knock } from "../helpers/knock.ts";
import { scrape } from "../helpers/metrics.ts";
import { needsRoot } from "../helpers/needs.ts";
import { listenForeign } from "../helpers/other-owners.ts";
import { NOBODY, startProgramAs } from "../helpers/other-user.ts";
import { makePlace } from "../helpers/place.ts";
import { runningInGroup } from "../helpers/process-group.ts";
import { startProgram, type Program, type ProgramOptions } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { accepted } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const APP = appPath("hello.mjs");
const TIMEOUT = { timeout: 60_000 };
const KILLS = 50;
const STARTERS = 20;
const NOTICED_WITHIN_MS = 2_000;
/** From a stop signal during a start to the end. */
const ABANDONED_WITHIN_MS = 2_000;
const GONE_WITHIN_MS = 10_000;

interface StartOptions extends Partial<ProgramOptions> {
  /** (hello) */
  readonly app?: string;
  /** (1) */
  readonly workers?: number;
}

function start(
  scope: Scope,
  path: string,
  { app = APP, workers = 1, ...options }: StartOptions = {},
): Program {
  const args = [app, "--workers", String(workers), "--ops", "127.0.0.1:0", "--socket", path];
  return startProgram(scope, { ...options, args });
}

async function assertServes(path: string): Promise<void> {
  assert.equal((await request({ socketPath: path })).status, 200);
}

async function stopCleanly(program: Program): Promise<void> {
  program.signal("SIGTERM");
  assert.deepEqual(await program.exit(), { code: 0, signal: null }, program.stdout);
}

/** Waits until no process of a program runs any more, its workers included. */
async function untilGone({ pid }: Program, deadlineMs = GONE_WITHIN_MS): Promise<void> {
  const isGone = (): true | undefined => (runningInGroup(pid).length === 0 ? true : undefined);
  await eventually(deadlineMs, isGone, `the processes of ${pid} to end`);
}

/** Asks a probe until its answer has this status, and returns the text of that answer. */
function untilProbe(program: Program, path: string, status: number): Promise<string> {
  return eventually(
    NOTICED_WITHIN_MS,
    async () => {
      const answer = await request({ port: await program.opsPort(), path });
      return answer.status === status ? answer.text() : undefined;
    },
    `${path} to answer ${status}`,
  );
}

async function lossesOf(program: Program): Promise<number> {
  return (await scrape(await program.opsPort())).sum("outrigger_socket_lost_total");
}

interface SlowRequest {
  readonly answer: Promise<string>;
}

/** A request whose response takes a second; resolves once it has begun. */
async function startSlowRequest(options: RequestOptions): Promise<SlowRequest> {
  const { request: sent, response } = openRequest({ ...options, path: "/chunks?count=10&ms=100" });
  sent.end();
  const head = await within(GONE_WITHIN_MS, response, "the head of a slow response");
  const answer = readResponse(head).then((response) => response.text());
  answer.catch(() => {});
  return { answer };
}

/** Numbers from 0 to 1 that a seed fixes. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("a supervisor that is killed", () => {
  it(
    `never keeps a later start from the path: ${KILLS} random moments`,
    { timeout: 180_000 },
    async (t) => {
      const { dir, path } = await makePlace(t);
      const seed = Number(process.env["KILL_SEED"] ?? randomInt(2 ** 31));
      t.diagnostic(`KILL_SEED=${seed}`);
      const random = createRandom(seed);
      const killed: Program[] = [];
      let serving = start(t, path);
      await serving.ready();
      for (let round = 0; round < KILLS; round += 1) {
        const what = await killAtRandom(serving, { random, restart: () => start(t, path) });
        killed.push(serving);
        serving = start(t, path);
        await serving.ready().catch((error: unknown) => {
          throw new Error(`Round ${round} of seed ${seed}, killed ${what}`, { cause: error });
        });
        await assertServes(path);
      }
      // A name that an orphan holds is removed by the first sweep after its end.
      for (const program of killed) await untilGone(program);
      await stopCleanly(serving);
      assert.deepEqual(await readdir(dir), []);
    },
  );

  interface Dice {
    /** From 0 to 1. */
    readonly random: () => number;
    readonly restart: () => Program;
  }

  /** Kills the supervisor of a program at some moment of its service, of its stop, or of its next start. */
  async function killAtRandom(program: Program, { random, restart }: Dice): Promise<string> {
    const socketPath = await program.address();
    const moment = Math.floor(random() * 3);
    if (moment === 0) {
      await stopCleanly(program);
      return await killAfter(random() * 400, restart(), "its start");
    }
    await startSlowRequest({ socketPath });
    if (moment === 1) return await killAfter(random() * 100, program, "it was ready");
    program.signal("SIGTERM");
    return await killAfter(random() * 700, program, "SIGTERM");
  }

  async function killAfter(ms: number, program: Program, since: string): Promise<string> {
    // The moment is what is drawn, so nothing is awaited but time.
    await delay(ms);
    program.signal("SIGKILL");
    await untilKilled(program);
    return `${Math.round(ms)} ms after ${since}`;
  }

  /** Its workers may hold its output open, so its end is seen in the table of processes. */
  async function untilKilled({ pid }: Program): Promise<void> {
    const isGone = (): true | undefined => (runningInGroup(pid).includes(pid) ? undefined : true);
    await eventually(GONE_WITHIN_MS, isGone, `process ${pid} to end`);
  }

  it("leaves workers that finish what they have begun, and go", TIMEOUT, async (t) => {
    const { path } = await makePlace(t);
    const program = start(t, path, { workers: 2 });
    await program.ready();
    const { answer } = await startSlowRequest({ socketPath: path });
    program.signal("SIGKILL");
    assert.match(await within(GONE_WITHIN_MS, answer, "the answer"), /chunk 9\n$/);
    await untilGone(program);
  });

  it("leaves workers that do not accept any more", TIMEOUT, async (t) => {
    const { path } = await makePlace(t);
    const program = start(t, path);
    await program.ready();
    const { answer } = await startSlowRequest({ socketPath: path });
    program.signal("SIGKILL");
    const refuses = async (): Promise<true | undefined> =>
      (await knock(path)) === "ECONNREFUSED" ? true : undefined;
    await eventually(NOTICED_WITHIN_MS, refuses, "the orphan to stop accepting");
    await answer;
    await untilGone(program);
  });

  it("leaves a worker that goes on although it has something to report", TIMEOUT, async (t) => {
    const { path } = await makePlace(t);
    const program = start(t, path);
    await program.ready();
    const { answer } = await startSlowRequest({ socketPath: path });
    const [worker = NaN] = program.workerPids();
    process.kill(worker, "SIGSTOP");
    program.signal("SIGKILL");
    await untilKilled(program);
    // Whatever its loop sees first when it wakes up: a client, or that nobody listens any more.
    const client = await RawClient.open(t, { path });
    process.kill(worker, "SIGCONT");
    assert.match(await within(GONE_WITHIN_MS, answer, "the answer"), /chunk 9\n$/);
    await client.close();
    await untilGone(program);
  });

  for (const app of ["slow-start.mjs", "busy-start.mjs"]) {
    it(`leaves no worker that was starting: ${app}`, TIMEOUT, async (t) => {
      const { path } = await makePlace(t);
      const program = start(t, path, { app: appPath(app), env: { START_MS: "3000" } });
      await program.line("starting");
      await eventually(
        GONE_WITHIN_MS,
        () => (runningInGroup(program.pid).length > 1 ? true : undefined),
        "a worker",
      );
      program.signal("SIGKILL");
      await untilGone(program);
      const successor = start(t, path);
      await successor.ready();
      await assertServes(path);
      await stopCleanly(successor);
    });
  }

  it("lets a successor serve while its workers still do", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const program = start(t, path);
    await program.ready();
    const { answer } = await startSlowRequest({ socketPath: path });
    program.signal("SIGKILL");
    const successor = start(t, path);
    await successor.ready();
    await assertServes(path);
    assert.match(await within(GONE_WITHIN_MS, answer, "the answer"), /chunk 9\n$/);
    await untilGone(program);
    await assertServes(path);
    await stopCleanly(successor);
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("two starters at once", () => {
  it(
    `have one winner, whom the other names: ${STARTERS} rounds`,
    { timeout: 120_000 },
    async (t) => {
      const { dir, path } = await makePlace(t);
      for (let round = 0; round < STARTERS; round += 1) {
        const both = [start(t, path), start(t, path)] as const;
        const loser = await Promise.race(
          both.map(async (program) => (await program.exit(), program)),
        );
        const winner = loser === both[0] ? both[1] : both[0];
        assert.deepEqual(await loser.exit(), { code: 3, signal: null });
        assert.match(
          loser.stderr,
          new RegExp(
            `Cannot listen on ${path}: another process holds its lock \\(pid ${winner.pid}, as it says\\)`,
          ),
        );
        await winner.ready();
        await assertServes(path);
        await stopCleanly(winner);
        assert.deepEqual(await readdir(dir), []);
      }
    },
  );
});

describe("the path of a program that serves", () => {
  const successors: Readonly<Record<string, (scope: Scope, path: string) => Promise<unknown>>> = {
    "a live socket": listenForeign,
    "a regular file": (_, path) => writeFile(path, "precious"),
    "a directory": (_, path) => mkdir(path),
  };
  for (const [what, put] of Object.entries(successors)) {
    it(`is left alone at the stop when ${what} took it`, TIMEOUT, async (t) => {
      const { dir, path } = await makePlace(t);
      const program = start(t, path);
      await program.ready();
      await rename(path, join(dir, "aside"));
      await put(t, path);
      const before = await describeFile(path);
      await stopCleanly(program);
      assert.equal(await describeFile(path), before);
      assert.deepEqual((await readdir(dir)).toSorted(), ["app.sock", "aside"]);
    });
  }

  it("is left alone at a forced stop too", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const program = start(t, path);
    await program.ready();
    await rm(path);
    await writeFile(path, "precious");
    program.signal("SIGTERM");
    program.signal("SIGTERM");
    await program.exit();
    assert.equal(await readFile(path, "utf8"), "precious");
    assert.deepEqual(await readdir(dir), ["app.sock"]);
  });

  it(
    "is published again when it was deleted, and nobody who is connected notices",
    TIMEOUT,
    async (t) => {
      const { path } = await makePlace(t);
      const program = start(t, path);
      await program.ready();
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      onEnd(t, () => agent.destroy());
      await request({ socketPath: path, agent });
      const { ino } = await lstat(path);
      const { answer } = await startSlowRequest({ socketPath: path });
      await rm(path);
      const lost = await program.line("socket file lost", NOTICED_WITHIN_MS);
      assert.equal(lost["address"], path);
      await program.line("socket file put back", NOTICED_WITHIN_MS);
      assert.equal((await lstat(path)).ino, ino);
      assert.equal((await request({ socketPath: path, agent })).status, 200);
      assert.match(await within(GONE_WITHIN_MS, answer, "the answer"), /chunk 9\n$/);
      await assertServes(path);
      assert.equal(await lossesOf(program), 1);
      await untilProbe(program, "/readyz", 200);
      await stopCleanly(program);
    },
  );

  for (const [what, put] of Object.entries(successors)) {
    it(`makes us unready while ${what} has it, and ready when that goes`, TIMEOUT, async (t) => {
      const { dir, path } = await makePlace(t);
      const program = start(t, path);
      await program.ready();
      await rename(path, join(dir, "aside"));
      const foreign = await put(t, path);
      const before = await describeFile(path);
      const reason = await untilProbe(program, "/readyz?verbose", 503);
      assert.match(reason, /\[-\]endpoints/);
      const said = await untilProbe(program, "/readyz/endpoints", 503);
      assert.ok(`${reason}${said}`.includes(path), `${reason}${said}`);
      await untilProbe(program, "/livez", 200);
      await program.line("socket file lost", NOTICED_WITHIN_MS);
      assert.equal(await lossesOf(program), 1);
      assert.equal(await describeFile(path), before);
      if (
        foreign !== undefined &&
        typeof foreign === "object" &&
        foreign !== null &&
        "close" in foreign &&
        typeof foreign.close === "function"
      )
        foreign.close();
      await rm(path, { recursive: true, force: true });
      await program.line("socket file put back", NOTICED_WITHIN_MS);
      await untilProbe(program, "/readyz", 200);
      await assertServes(path);
      await stopCleanly(program);
      assert.deepEqual(await readdir(dir), ["aside"]);
    });
  }

  it(
    "is bound anew, without a request lost, when its whole directory was made anew",
    TIMEOUT,
    async (t) => {
      const dir = join(await tempDir(t), "run");
      await mkdir(dir);
      const path = join(dir, "app.sock");
      const program = start(t, path);
      await program.ready();
      const inFlight = request({ socketPath: path, path: "/slow?ms=2000" });
      await accepted(dir, 1);
      await rm(dir, { recursive: true });
      await mkdir(dir);
      const lost = await program.line("socket file lost", NOTICED_WITHIN_MS);
      assert.match(String(lost["problem"]), /removed together with our own name/);
      await program.line("socket bound anew");
      await assertServes(path);
      assert.equal((await request({ port: await program.opsPort(), path: "/readyz" })).status, 200);
      assert.equal((await inFlight).status, 200);
      await stopCleanly(program);
      assert.deepEqual(await readdir(dir), []);
    },
  );

  it("makes us unready, with the reason, while its directory is gone", TIMEOUT, async (t) => {
    const dir = join(await tempDir(t), "run");
    await mkdir(dir);
    const program = start(t, join(dir, "app.sock"));
    await program.ready();
    await rm(dir, { recursive: true });
    await program.line("socket file lost", NOTICED_WITHIN_MS);
    assert.match(await untilProbe(program, "/readyz/endpoints", 503), /removed together with/);
    await stopCleanly(program);
  });

  it(
    "is left where it is, with a word in the log, when we may not remove it",
    { ...TIMEOUT, ...needsRoot() },
    async (t) => {
      const { dir, path } = await makePlace(t);
      await chown(dir, NOBODY, NOBODY);
      const program = startProgramAs(t, NOBODY, {
        args: [APP, "--workers", "1", "--ops", "off", "--socket", path],
      });
      await program.ready();
      await chown(dir, 0, 0);
      await chmod(dir, 0o755);
      program.signal("SIGTERM");
      const { signal } = await program.exit();
      assert.equal(signal, null);
      assert.match(program.stdout, /EACCES/);
      assert.doesNotMatch(program.stderr, /triggerUncaughtException|Unhandled/);
      assert.doesNotMatch(program.stderr, /^\s+at /m);
      const successor = start(t, path);
      await successor.ready();
      await assertServes(path);
      await stopCleanly(successor);
      assert.deepEqual(await readdir(dir), []);
    },
  );
});

describe("the directory after the end", () => {
  it("is empty after a clean stop", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const program = start(t, path, { workers: 2 });
    await program.ready();
    await assertServes(path);
    await stopCleanly(program);
    assert.deepEqual(await readdir(dir), []);
  });

  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    it(`is empty after ${signal}`, TIMEOUT, async (t) => {
      const { dir, path } = await makePlace(t);
      const program = start(t, path);
      await program.ready();
      program.signal(signal);
      assert.deepEqual(await program.exit(), { code: 0, signal: null });
      assert.deepEqual(await readdir(dir), []);
    });
  }

  it("is empty after a second signal cut the drain", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const program = start(t, path);
    await program.ready();
    const hanging = openRequest({ socketPath: path, path: "/hang" });
    hanging.request.end();
    await eventually(
      GONE_WITHIN_MS,
      async () => {
        const metrics = await scrape(await program.opsPort());
        return metrics.sum("outrigger_endpoint_requests_in_flight") > 0 ? true : undefined;
      },
      "a request in flight",
    );
    program.signal("SIGTERM");
    await program.line("stopping");
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(5_000), { code: 4, signal: null });
    assert.deepEqual(await readdir(dir), []);
  });

  it("is empty after an app that does not start", TIMEOUT, async (t) => {
    const { dir, path } = await makePlace(t);
    const program = start(t, path, { app: appPath("failing-start.mjs") });
    assert.deepEqual(await program.exit(), { code: 3, signal: null });
    assert.deepEqual(await readdir(dir), []);
  });

  for (const [what, workers] of Object.entries({ "in a process of its own": 1, "in ours": 0 })) {
    it(
      `is empty after an uncaught failure of the supervisor, the worker ${what}`,
      TIMEOUT,
      async (t) => {
        const { dir, path } = await makePlace(t);
        const fail = `data:text/javascript,process.env.NODE_CHANNEL_FD ?? process.on("SIGUSR1", () => { throw new Error("a bug") })`;
        const program = start(t, path, { workers, nodeArgs: ["--import", fail] });
        await program.ready();
        program.signal("SIGUSR1");
        const { code } = await program.exit();
        assert.equal(code, 1);
        assert.match(program.stderr, /a bug/);
        assert.deepEqual(await readdir(dir), []);
        await untilGone(program);
      },
    );
  }
});

describe("SIGTERM during a slow start", () => {
  const starts: Readonly<
    Record<string, { readonly app: string; readonly workers?: number; readonly until: string }>
  > = {
    "that waits": { app: "slow-start.mjs", until: "a worker" },
    "that blocks its event loop": { app: "busy-start.mjs", until: "busy" },
    "of two workers": { app: "slow-start.mjs", workers: 2, until: "a worker" },
    "in the process itself": { app: "slow-start.mjs", workers: 0, until: "starting" },
  };
  for (const [what, { app, workers = 1, until }] of Object.entries(starts)) {
    it(`${what} ends it with code 0 and leaves nothing`, TIMEOUT, async (t) => {
      const { dir, path } = await makePlace(t);
      const program = start(t, path, { app: appPath(app), workers, env: { START_MS: "10000" } });
      await program.line("starting");
      if (until === "busy") await program.line((line) => line["app"] === "busy");
      if (until === "a worker")
        await eventually(
          GONE_WITHIN_MS,
          () => (runningInGroup(program.pid).length > 1 ? true : undefined),
          "a worker",
        );
      await eventually(
        GONE_WITHIN_MS,
        async () => ((await readdir(dir)).length > 0 ? true : undefined),
        "the socket to be bound",
      );
      program.signal("SIGTERM");
      assert.deepEqual(
        await program.exit(ABANDONED_WITHIN_MS),
        { code: 0, signal: null },
        program.stdout,
      );
      assert.deepEqual(await readdir(dir), []);
      assert.deepEqual(runningInGroup(program.pid), []);
    });
  }
});
