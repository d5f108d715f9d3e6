import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { answering, serveCode } from "../helpers/app-file.ts";
import {
  assertLeavesAfterNginx,
  assertNothingLost,
  startLoadedPod,
} from "../helpers/loaded-pod.ts";
import { errorLines, everReady, logged, timesLogged } from "../helpers/log-count.ts";
import { needs } from "../helpers/needs.ts";
import { startProgram } from "../helpers/program.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { assertGone, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const RESTARTS = "outrigger_worker_restarts_total";

async function restarts(service: Serving): Promise<Record<string, number>> {
  const metrics = await service.metrics();
  const counted = metrics.samples.filter(({ name, value }) => name === RESTARTS && value > 0);
  return Object.fromEntries(counted.map(({ labels, value }) => [labels["reason"] ?? "", value]));
}

async function get(service: Serving): Promise<string> {
  return (await service.request({ path: "/" })).text();
}

describe("SIGHUP under load", needs("nginx"), () => {
  it("twenty times in a row costs no request and miscounts none", async (t) => {
    const HUPS = 20;
    const pod = await startLoadedPod(t, { workers: 2 });
    const { program } = pod.service;
    for (let hups = 1; hups <= HUPS; hups += 1) {
      program.signal("SIGHUP");
      await logged(program, "reload done", hups);
      await pod.load.answers(5);
    }
    await assertNothingLost(pod);
    const pids = await everReady(program, 2 + 2 * HUPS);
    assert.equal(new Set(pids).size, 2 + 2 * HUPS, "every worker is a new process");
    await logged(program, "worker exited", 2 * HUPS);
    assert.deepEqual(program.workerPids(), pids.slice(-2));
    assert.deepEqual(await restarts(pod.service), { reload: 2 * HUPS });
    assert.deepEqual(errorLines(program), []);
  });

  it("and SIGTERM in the midst of it loses nothing before nginx has gone", async (t) => {
    const pidFile = join(await tempDir(t), "nginx.pid");
    const args = ["--drain-until-gone", pidFile, "--grace-period", "20s"];
    const pod = await startLoadedPod(t, { workers: 2, args, pidFile });
    const { program } = pod.service;
    program.signal("SIGHUP");
    await program.line("reload started");
    program.signal("SIGTERM");
    await program.line("draining");
    await assertLeavesAfterNginx(pod);
  });
});

describe("SIGHUP", () => {
  it("serves the app as it is on disk now", async (t) => {
    const service = await serveCode(t, answering("one"), { args: ["--workers", "2"] });
    await everReady(service.program, 2);
    assert.equal(await get(service), "one");
    await service.rewrite(answering("two"));
    assert.equal(await get(service), "one");
    service.program.signal("SIGHUP");
    await service.program.line("reload done");
    await logged(service.program, "worker exited", 2);
    for (let times = 0; times < 10; times += 1) assert.equal(await get(service), "two");
  });

  it("leaves the old version serving when the new one does not start, and says so once", async (t) => {
    const service = await serveCode(t, answering("one"), { args: ["--workers", "2"] });
    const { program } = service;
    const pids = await everReady(program, 2);
    await service.rewrite("throw new Error('version two is broken');\n");
    program.signal("SIGHUP");
    const { error } = await program.line("reload failed");
    assert.match(JSON.stringify(error), /version two is broken/);
    assert.equal(errorLines(program).length, 1, JSON.stringify(errorLines(program)));
    assert.equal(timesLogged(program, "reload done"), 0);
    assert.deepEqual(program.workerPids(), pids);
    assert.equal(await get(service), "one");
    assert.equal((await service.ops("/readyz")).status, 200);
    assert.deepEqual(await restarts(service), {});
    await service.rewrite(answering("three"));
    program.signal("SIGHUP");
    await program.line("reload done");
    await logged(program, "worker exited", 3);
    assert.equal(await get(service), "three");
  });

  it("during a reload starts another after it", async (t) => {
    const service = await serveApp(t, "slow-start.mjs", { args: ["--workers", "2"] });
    const { program } = service;
    await everReady(program, 2);
    program.signal("SIGHUP");
    await logged(program, "reload started", 1);
    program.signal("SIGHUP");
    await logged(program, "reload started", 2);
    assert.equal(timesLogged(program, "reload done"), 0);
    await logged(program, "reload done", 2);
    assert.deepEqual(await restarts(service), { reload: 4 });
    assert.equal(await get(service), "started");
    assert.deepEqual(errorLines(program), []);
  });

  it("gives way to SIGTERM", async (t) => {
    const service = await serveApp(t, "slow-start.mjs", {
      args: ["--workers", "2"],
      env: { START_MS: "1000" },
    });
    const { program } = service;
    await everReady(program, 2);
    program.signal("SIGHUP");
    await program.line("reload started");
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
    await assertGone(service);
    assert.deepEqual(errorLines(program), []);
    assert.equal(timesLogged(program, "worker ready"), 2);
  });

  it("is refused while it drains", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--drain-delay", "1s"] });
    const { program } = service;
    program.signal("SIGTERM");
    await program.line("draining");
    program.signal("SIGHUP");
    const { level } = await program.line("reload failed");
    assert.equal(level, 30);
    assert.deepEqual(await program.exit(), STOPPED);
    assert.equal(timesLogged(program, "worker ready"), 1);
  });

  it("while it starts is refused, and the start goes on", async (t) => {
    const dir = await tempDir(t);
    const program = startProgram(t, {
      args: [fixture("slow-start.mjs"), "--listen", join(dir, "s"), "--ops", "127.0.0.1:0"],
      env: { START_MS: "1000", WEB_CONCURRENCY: "1" },
    });
    await program.line("starting");
    program.signal("SIGHUP");
    await program.line("reload failed");
    await program.ready();
  });

  it("with --workers 0 is refused, and the app goes on", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "0"] });
    for (const [signal, change] of [
      ["SIGHUP", "reload"],
      ["SIGTTIN", "grow"],
      ["SIGTTOU", "shrink"],
    ] as const) {
      service.program.signal(signal);
      const { error } = await service.program.line(`${change} failed`);
      assert.match(JSON.stringify(error), /the app runs in this process/);
    }
    assert.equal(await get(service), "hello\n");
  });
});

describe("the config file at SIGHUP", () => {
  interface Configured extends Serving {
    readonly file: string;
    readonly configure: (settings: object) => Promise<void>;
  }

  async function serveConfigured(t: TestContext, settings: object): Promise<Configured> {
    const file = join(await tempDir(t), "outrigger.json");
    const configure = (changed: object): Promise<void> => writeFile(file, JSON.stringify(changed));
    await configure(settings);
    const service = await serveApp(t, "hello.mjs", { args: ["--config", file] });
    return { ...service, file, configure };
  }

  /** A request after which its access line is there. */
  async function getWithLine(service: Serving, path: string): Promise<void> {
    await service.request({ path });
    await service.program.line((line) => line["path"] === path);
  }

  it("is read anew", async (t) => {
    const service = await serveConfigured(t, { "access-log": "off" });
    const { program } = service;
    await service.request({ path: "/json?before" });
    await service.configure({ "access-log": "json" });
    program.signal("SIGHUP");
    await program.line("reload done");
    await logged(program, "worker exited", 1);
    await getWithLine(service, "/json?after");
    assert.equal(program.stdout.includes("/json?before"), false);
  });

  it("that is refused leaves all as it was", async (t) => {
    const service = await serveConfigured(t, {});
    const { program } = service;
    const pids = await everReady(program, 1);
    for (const [index, broken] of [{ "access-log": "loud" }, { wrokers: 2 }].entries()) {
      await service.configure(broken);
      program.signal("SIGHUP");
      await logged(program, "reload failed", index + 1);
    }
    const [first, second, ...others] = errorLines(program);
    assert.match(JSON.stringify(first), /access-log.*expected one of json, combined, off/);
    assert.match(JSON.stringify(second), /did you mean .*workers/);
    assert.deepEqual(others, []);
    assert.equal(await get(service), "hello\n");
    assert.deepEqual(program.workerPids(), pids);
    await service.configure({});
    program.signal("SIGHUP");
    await program.line("reload done");
  });

  it("that cannot be read any more leaves all as it was", async (t) => {
    const service = await serveConfigured(t, {});
    await rm(service.file);
    service.program.signal("SIGHUP");
    const { error } = await service.program.line("reload failed");
    assert.match(JSON.stringify(error), /outrigger\.json/);
    assert.equal(await get(service), "hello\n");
  });

  it("names what only a restart can change, and takes over the rest", async (t) => {
    const service = await serveConfigured(t, { balance: "connections", "access-log": "off" });
    const { program } = service;
    await service.configure({ balance: "off", "access-log": "json" });
    program.signal("SIGHUP");
    const { settings } = await program.line("settings need a restart");
    assert.deepEqual(settings, ["balance"]);
    await program.line("reload done");
    await logged(program, "worker exited", 1);
    await getWithLine(service, "/json?after");
  });
});

describe("SIGTTIN and SIGTTOU", () => {
  it("add and retire workers without costing a request", needs("nginx"), async (t) => {
    const pod = await startLoadedPod(t, { workers: 1 });
    const { service, load } = pod;
    const { program } = service;
    const ready = async (): Promise<number> =>
      await service.sum("outrigger_workers", { state: "ready" });
    for (let round = 1; round <= 3; round += 1) {
      for (const more of [2, 3]) {
        program.signal("SIGTTIN");
        await logged(program, "grow done", 2 * (round - 1) + more - 1);
        assert.equal(await ready(), more);
        await load.answers(20);
      }
      for (const times of [1, 2]) {
        program.signal("SIGTTOU");
        await logged(program, "shrink done", 2 * (round - 1) + times);
        await load.answers(20);
      }
      program.signal("SIGTTOU");
      await logged(program, "shrink failed", round);
      assert.equal(await ready(), 1);
    }
    await assertNothingLost(pod);
    await logged(program, "worker exited", 6);
    assert.deepEqual(await restarts(service), {});
    assert.deepEqual(errorLines(program), []);
  });

  it("leave all as it was when the new worker does not start", async (t) => {
    const service = await serveCode(t, answering("one"));
    const { program } = service;
    await service.rewrite("throw new Error('broken');\n");
    program.signal("SIGTTIN");
    await program.line("grow failed");
    assert.deepEqual(await restarts(service), {});
    assert.equal(program.workerPids().length, 1);
    assert.equal(await get(service), "one");
  });
});

describe("WEB_CONCURRENCY", () => {
  it("is the number of workers", async (t) => {
    const dir = await tempDir(t);
    const program = startProgram(t, {
      args: [fixture("hello.mjs"), "--listen", join(dir, "s"), "--ops", "127.0.0.1:0"],
      env: { WEB_CONCURRENCY: "3" },
    });
    assert.equal((await program.ready()).workers, 3);
    await everReady(program, 3);
  });
});
