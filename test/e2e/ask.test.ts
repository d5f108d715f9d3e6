import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { freePort } from "../helpers/nginx.ts";
import { startProgram } from "../helpers/program.ts";
import { runProgram } from "../helpers/run-program.ts";
import { onEnd } from "../helpers/scope.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const SAID_NOTHING = { code: 0, signal: null, stdout: "", stderr: "" };

function opsOf({ opsPort }: Serving): string {
  return `127.0.0.1:${opsPort}`;
}

describe("outrigger probe", () => {
  it("exits 0 without a word when the probe passes, wherever the address comes from", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const ops = opsOf(service);
    for (const probe of ["live", "ready", "startup"])
      assert.deepEqual(await runProgram(t, ["probe", probe, "--ops", ops]), SAID_NOTHING);
    const env = { OUTRIGGER_OPS: ops };
    assert.deepEqual(await runProgram(t, ["probe", "ready"], { env }), SAID_NOTHING);
    const config = join(service.dir, "o.json");
    await writeFile(config, JSON.stringify({ ops }));
    const fromFile = await runProgram(t, ["probe", "ready", "--config", config]);
    assert.deepEqual(fromFile, SAID_NOTHING);
  });

  it("exits 1 with the checks that fail while draining, when live still passes", async (t) => {
    const file = join(await tempDir(t), "nginx.pid");
    await writeFile(file, "");
    const service = await serveApp(t, "hello.mjs", { args: ["--drain-until-gone", file] });
    service.program.signal("SIGTERM");
    await service.program.line("draining");
    const ready = await runProgram(t, ["probe", "ready", "--ops", opsOf(service)]);
    assert.deepEqual([ready.code, ready.stdout], [1, ""]);
    assert.match(ready.stderr, /^outrigger: Probe "ready" failed: phase: phase is draining.*\n$/);
    const live = await runProgram(t, ["probe", "live", "--ops", opsOf(service)]);
    assert.equal(live.code, 0);
    await rm(file);
    await service.program.exit();
  });

  it("exits 1 with the address when nobody listens, or nobody answers in time", async (t) => {
    const port = await freePort();
    const refused = await runProgram(t, ["probe", "live", "--ops", `127.0.0.1:${port}`]);
    assert.deepEqual(
      [refused.code, refused.stderr],
      [
        1,
        `outrigger: Probe "live" failed: Cannot reach the ops endpoint 127.0.0.1:${port}: nobody listens there\n`,
      ],
    );
    const silent = createServer().listen(0, "127.0.0.1");
    onEnd(t, () => silent.close());
    await once(silent, "listening");
    const address = silent.address();
    assert.ok(typeof address === "object" && address !== null);
    const ops = `127.0.0.1:${address.port}`;
    const slow = await runProgram(t, ["probe", "live", "--timeout", "200ms", "--ops", ops]);
    assert.equal(slow.code, 1);
    assert.match(slow.stderr, /no answer within 200ms\n$/);
  });

  const refusals: [readonly string[], RegExp][] = [
    [["probe", "raedy"], /did you mean "ready"\n$/],
    [["probe"], /^outrigger: Missing required argument "live\|ready\|startup"\n$/],
    [["probe", "live", "more"], /Too many arguments/],
    [["probe", "live", "--tiemout", "1s"], /did you mean --timeout\n$/],
    [["probe", "live", "--timeout", "0"], /expected a duration above 0/],
    [["probe", "live", "--ops", "off"], /^outrigger: Cannot ask the ops endpoint: it is off/],
    [["probe", "live", "--ops", ":0"], /the system chose its port/],
    [
      ["wait", "--until", "redy"],
      /^outrigger: Cannot use --until "redy": .*did you mean "ready"\n$/,
    ],
    [["status", "--jsn"], /did you mean --json\n$/],
    [["print", "ngnix"], /did you mean "nginx"\n$/],
    [["check", "--as", "nginx"], /expected numbers such as 101:101/],
    [["check", "--print-config"], /Unknown option "--print-config"/],
  ];
  for (const [args, stderr] of refusals) {
    it(`refuses ${args.join(" ")} with exit code 2`, async (t) => {
      const outcome = await runProgram(t, args);
      assert.deepEqual([outcome.code, outcome.stdout], [2, ""]);
      assert.match(outcome.stderr, stderr);
    });
  }
});

describe("an app that is called like a subcommand", () => {
  it("is served when it is given as a path, or after serve", async (t) => {
    const dir = await tempDir(t);
    const app = 'export default (req, res) => res.end("an app called probe\\n");';
    await writeFile(join(dir, "probe.mjs"), app);
    for (const words of [["./probe.mjs"], ["serve", "./probe.mjs"]]) {
      const program = startProgram(t, {
        args: [...words, "--listen", "127.0.0.1:0", "--ops", "off", "--workers", "1"],
        cwd: dir,
      });
      const port = Number((await program.address()).split(":")[1]);
      assert.equal((await request({ port })).text(), "an app called probe\n");
      program.signal("SIGTERM");
      await program.exit();
    }
  });
});

describe("outrigger wait", () => {
  it("returns when the program has become ready, begun before it was started", async (t) => {
    const dir = await tempDir(t);
    const ops = `127.0.0.1:${await freePort()}`;
    const waiting = startProgram(t, { args: ["wait", "--timeout", "30s", "--ops", ops] });
    const program = startProgram(t, {
      args: [
        fixture("slow-start.mjs"),
        ...["--listen", join(dir, "app.sock"), "--ops", ops, "--workers", "1"],
      ],
      env: { START_MS: "500" },
    });
    assert.deepEqual(await waiting.exit(), { code: 0, signal: null });
    assert.equal((await request({ socketPath: join(dir, "app.sock") })).text(), "started");
    await program.ready();
    const until = await runProgram(t, ["wait", "--until", "startup", "--ops", ops]);
    assert.deepEqual(until, SAID_NOTHING);
  });

  it("exits 1 at the deadline with what was seen last", async (t) => {
    const port = await freePort();
    const args = ["wait", "--timeout", "400ms", "--ops", `127.0.0.1:${port}`];
    const outcome = await runProgram(t, args);
    assert.deepEqual(
      [outcome.code, outcome.stderr],
      [
        1,
        `outrigger: Waited 400ms in vain for probe "ready" to pass: Cannot reach the ops endpoint 127.0.0.1:${port}: nobody listens there\n`,
      ],
    );
  });
});

describe("outrigger status", () => {
  it("shows phase, endpoints and workers", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
    await eventually(DEADLINE_MS, () => service.program.workerPids()[1], "the second worker");
    await service.request({ path: "/" });
    const { code, stdout, stderr } = await runProgram(t, ["status", "--ops", opsOf(service)]);
    assert.deepEqual([code, stderr], [0, ""]);
    const [head, , endpointTitles, endpoint, , workerTitles, ...workers] = stdout.split("\n");
    assert.match(
      head ?? "",
      new RegExp(`^outrigger \\S+, pid ${service.program.pid}, up \\d+s: ready$`),
    );
    assert.match(
      endpointTitles ?? "",
      /^ENDPOINT +CONNECTIONS +QUEUE +IN FLIGHT +REQUESTS +ADDRESS$/,
    );
    assert.match(endpoint ?? "", new RegExp(`^app +0 +0 +0 +1 +${service.socketPath}$`));
    assert.match(workerTitles ?? "", /^WORKER +PID +CONNECTIONS +IN FLIGHT +MEMORY +AGE +STATE$/);
    const shown = workers.map((row) =>
      /^ +\d (?<pid> *\d+) +0 +0 +[\d.]+Mi +\d+s  ready$/.exec(row),
    );
    assert.deepEqual(
      new Set(shown.flatMap((match) => Number(match?.groups?.["pid"] ?? 0) || [])),
      new Set(service.program.workerPids()),
    );
  });

  it("prints the JSON as it is", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const { code, stdout } = await runProgram(t, ["status", "--json", "--ops", opsOf(service)]);
    const status: unknown = JSON.parse(stdout);
    assert.equal(code, 0);
    const asked = (await service.ops("/status")).json() as object;
    assert.deepEqual(Object.keys(status as object), Object.keys(asked));
  });

  it("shows it again and again until it is interrupted, which is no failure", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const watching = startProgram(t, { args: ["status", "--watch", "--ops", opsOf(service)] });
    const seen = (text: RegExp) => (): true | undefined => text.test(watching.stdout) || undefined;
    await eventually(DEADLINE_MS, seen(/(?:^outrigger .*: ready$[^]*){2}/m), "two tables");
    service.program.signal("SIGTERM");
    await service.program.exit();
    await eventually(DEADLINE_MS, seen(/^Cannot reach the ops endpoint /m), "the end to be seen");
    watching.signal("SIGINT");
    assert.deepEqual(await watching.exit(), { code: 0, signal: null });
    assert.equal(watching.stderr, "");
  });

  it("exits 1 with the address when the program cannot be reached", async (t) => {
    const port = await freePort();
    for (const more of [[], ["--watch"], ["--json"]]) {
      const outcome = await runProgram(t, ["status", "--ops", `127.0.0.1:${port}`, ...more]);
      assert.deepEqual(
        [outcome.code, outcome.stdout, outcome.stderr],
        [
          1,
          "",
          `outrigger: Cannot reach the ops endpoint 127.0.0.1:${port}: nobody listens there\n`,
        ],
      );
    }
  });
});
