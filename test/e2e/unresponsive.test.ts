import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { serveCode } from "../helpers/app-file.ts";
import { CounterWatch } from "../helpers/counter-watch.ts";
import { eventually } from "../helpers/deadline.ts";
import { errorLines, everReady, timesLogged } from "../helpers/log-count.ts";
import type { LogLine } from "../helpers/log-lines.ts";
import { scrape } from "../helpers/metrics.ts";
import type { Serving } from "../helpers/serving.ts";

const DEADLINE_MS = 15_000;
const UNRESPONSIVE = "worker unresponsive";
const RESTARTS = "outrigger_worker_restarts_total";
const TIMEOUT = ["--worker-timeout", "2s"];

/** An app that can be held up in several ways; START_MS makes its start slow. */
const APP = `import { setTimeout as delay } from "node:timers/promises";
await delay(Number(process.env.START_MS ?? "0"));
if (process.env.OWN_SIGNAL) process.on("SIGUSR1", () => console.log("app got SIGUSR1"));
function spinForever() {
  while (true);
}
function matchForever() {
  return /^(a+)+$/.test("a".repeat(50) + "b");
}
function serializeForever() {
  for (let count = 0; ; count += 1) JSON.stringify({ count });
}
function spinFor(ms) {
  const endMs = Date.now() + ms;
  while (Date.now() < endMs);
}
const ways = { "/spin": spinForever, "/regex": matchForever, "/loop": serializeForever, "/while": () => spinFor(3_500) };
export default (req, res) => {
  console.log(JSON.stringify({ app: req.url, pid: process.pid }));
  ways[req.url]?.();
  res.end(String(process.pid));
};
`;

/** Sends a request that holds its worker up, and resolves to the pid when it does. */
async function hold(service: Serving, path: string): Promise<number> {
  const before = new Set(service.program.lines);
  // It fails when its worker is killed.
  service.request({ path }).catch(() => {});
  const { pid } = await service.program.line((line) => line["app"] === path && !before.has(line));
  return Number(pid);
}

/** The line about a worker that does not answer. */
function accusation({ program }: Serving, pid: number): Promise<LogLine> {
  return program.line((line) => line.msg === UNRESPONSIVE && line["pid"] === pid);
}

function end({ program }: Serving, pid: number): Promise<LogLine> {
  return program.line((line) => line.msg === "worker exited" && line["pid"] === pid);
}

/** Resolves when a probe has this status. */
async function probed(service: Serving, path: string, status: number): Promise<string> {
  return await eventually(
    DEADLINE_MS,
    async () => {
      const answer = await service.ops(path);
      return answer.status === status ? answer.text() : undefined;
    },
    `${path} to be ${status}`,
  );
}

describe("a worker that is held up by its app", () => {
  it("is named with the place, replaced and killed, while the other serves", async (t) => {
    const service = await serveCode(t, APP, {
      args: ["--workers", "2", "--min-ready", "2", ...TIMEOUT],
      env: { START_MS: "700" },
    });
    const watch = await CounterWatch.begin(service);
    for (let times = 0; times < 20; times += 1) await service.request({ path: "/" });
    await watch.sample();
    const pid = await hold(service, "/spin");
    const pids = new Set<string>();
    const serve = async (): Promise<void> => {
      const { status, text } = await service.request({ path: "/", deadlineMs: 1_500 });
      assert.equal(status, 200);
      pids.add(text());
    };
    for (let times = 0; times < 20; times += 1) await serve();
    const failing = probed(service, "/readyz?verbose", 503);
    const line = await accusation(service, pid);
    assert.match(
      await failing,
      /\[-\]workers failed: 1 workers are ready, 2 needed, 1 more do not/,
    );
    await serve();
    await probed(service, "/readyz", 200);
    await serve();
    assert.equal(pids.has(String(pid)), false);

    assert.ok(Number(line["silentForMs"]) >= 2_000, JSON.stringify(line));
    const blockedAt = line["blockedAt"] as string[];
    assert.match(
      blockedAt[0] ?? "",
      /^spinForever \(\/.*\/app\.mjs:5:\d+\)$/,
      JSON.stringify(line),
    );
    assert.match(blockedAt[1] ?? "", /\/app\.mjs:20:\d+\)$/);
    assert.ok(blockedAt.length <= 10);

    const { signal, reason } = await end(service, pid);
    assert.deepEqual([signal, reason], ["SIGKILL", "unresponsive"]);
    await watch.sample();
    assert.equal(await service.sum(RESTARTS, { reason: "unresponsive" }), 1);
    assert.equal(await service.sum(RESTARTS), 1);
    assert.equal(timesLogged(service.program, UNRESPONSIVE), 1);
  });

  for (const [what, path, place] of [
    ["a regular expression", "/regex", /^matchForever \(.*\/app\.mjs:8:\d+\)$/],
    ["a loop that calls into Node", "/loop", /^serializeForever \(.*\/app\.mjs:11:\d+\)$/],
  ] as const) {
    it(`alone, by ${what}, is replaced too`, async (t) => {
      const service = await serveCode(t, APP, { args: TIMEOUT });
      const pid = await hold(service, path);
      const waiting = service.request({ path: "/" });
      const line = await accusation(service, pid);
      const [innermost = ""] = (line["blockedAt"] ?? []) as string[];
      assert.match(innermost, place, JSON.stringify(line));
      // It waited in the queue.
      assert.notEqual((await waiting).text(), String(pid));
      assert.equal((await service.ops("/readyz")).status, 200);
    });
  }

  it("finishes what it has when it comes back, and leaves", async (t) => {
    const service = await serveCode(t, APP, { args: TIMEOUT });
    const answer = service.request({ path: "/while" });
    const { status, text } = await answer;
    assert.equal(status, 200);
    const pid = Number(text());
    await accusation(service, pid);
    const { code, reason } = await end(service, pid);
    assert.deepEqual([code, reason], [0, "unresponsive"]);
    assert.equal(await service.sum("outrigger_drain_forced_close_total"), 0);
  });

  it("is not the last to serve, however many are held up", async (t) => {
    const service = await serveCode(t, APP, { args: ["--workers", "3", ...TIMEOUT] });
    await everReady(service.program, 3);
    const pids: number[] = [];
    while (pids.length < 3) pids.push(await hold(service, "/spin"));
    assert.equal(new Set(pids).size, 3);
    const { text } = await service.request({ path: "/" });
    assert.equal(pids.includes(Number(text())), false);
    for (const pid of pids) {
      const line = await accusation(service, pid);
      // Three that spin leave two processors little time for inspectors; then it says so.
      const { blockedAt, blockedAtUnknown } = line;
      assert.match(String(blockedAt ?? blockedAtUnknown), /^spinForever|^it did not|in time$/);
    }
    for (const pid of pids) assert.equal((await end(service, pid))["reason"], "unresponsive");
    assert.equal(await service.sum(RESTARTS, { reason: "unresponsive" }), 3);
    assert.equal(service.program.workerPids().length, 3);
  });

  it("is left alone with --worker-timeout 0", async (t) => {
    const service = await serveCode(t, APP, { args: ["--worker-timeout", "0"] });
    const answer = await service.request({ path: "/while" });
    assert.equal((await service.request({ path: "/" })).text(), answer.text());
    assert.equal(timesLogged(service.program, UNRESPONSIVE), 0);
  });

  it("that is being debugged keeps its inspector", async (t) => {
    const service = await serveCode(t, APP, {
      args: TIMEOUT,
      env: { NODE_OPTIONS: "--inspect=127.0.0.1:0" },
    });
    const pid = await hold(service, "/while");
    const line = await accusation(service, pid);
    assert.equal(line["blockedAtUnknown"], "its inspector is open already");
    // The supervisor's, and that of each worker.
    assert.ok(service.program.stderr.split("Debugger listening on ws://127.0.0.1:").length > 2);
  });

  it("keeps its own SIGUSR1, and is replaced without a place", async (t) => {
    const service = await serveCode(t, APP, { args: TIMEOUT, env: { OWN_SIGNAL: "1" } });
    const pid = await hold(service, "/while");
    const line = await accusation(service, pid);
    assert.equal(line["blockedAtUnknown"], "the app handles SIGUSR1 itself");
    await end(service, pid);
    assert.doesNotMatch(service.program.stdout, /app got SIGUSR1/);
  });
});

describe("a worker that is stopped", () => {
  it("is replaced, and the log says why there is no place", async (t) => {
    const service = await serveCode(t, APP, { args: TIMEOUT });
    const [pid = 0] = service.program.workerPids();
    process.kill(pid, "SIGSTOP");
    assert.match(String((await accusation(service, pid))["blockedAtUnknown"]), /^it is stopped$/);
    const { signal, reason } = await end(service, pid);
    assert.deepEqual([signal, reason], ["SIGKILL", "unresponsive"]);
    assert.equal((await service.request({ path: "/" })).status, 200);
  });
});

describe("a machine that was suspended", () => {
  it("has no worker to blame for it", async (t) => {
    const service = await serveCode(t, APP, { args: ["--workers", "2", ...TIMEOUT] });
    await everReady(service.program, 2);
    const pids = service.program.workerPids();
    process.kill(-service.program.pid, "SIGSTOP");
    await delay(3_000);
    process.kill(-service.program.pid, "SIGCONT");
    await service.metrics();
    await eventually(
      DEADLINE_MS,
      async () => (await scrape(service.opsPort)).sum("process_cpu_seconds_total") > 0 || undefined,
      "a scrape",
    );
    assert.deepEqual(service.program.workerPids(), pids);
    assert.deepEqual(errorLines(service.program), []);
  });
});

describe("an inspector that was opened to read a stack", () => {
  it("is closed again, and a late signal does not leave one open", async (t) => {
    const service = await serveCode(
      t,
      `import { execSync } from "node:child_process";
      import inspector from "node:inspector";
      export default (req, res) => {
        if (req.url === "/sleep") {
          console.log(JSON.stringify({ app: req.url, pid: process.pid }));
          execSync("sleep 6.2");
          process.once("exit", () => console.log(JSON.stringify({ app: "left", url: inspector.url() ?? "none" })));
        }
        res.end();
      };`,
      { args: TIMEOUT },
    );
    const pid = await hold(service, "/sleep");
    const line = await accusation(service, pid);
    assert.match(
      String(line["blockedAtUnknown"]),
      /^it runs no JavaScript: .*\(state S \(sleeping\)\)$/,
    );
    await end(service, pid);
    const left = await service.program.line(({ app }) => app === "left");
    assert.equal(left["url"], "none");
  });
});
