import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Host } from "../../src/cli/host.ts";
import { run } from "../../src/cli/run.ts";
import { eventually } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { needs } from "../helpers/needs.ts";
import { freePort } from "../helpers/nginx.ts";
import { startGroup } from "../helpers/process-group.ts";
import { runProgram } from "../helpers/run-program.ts";
import type { Scope } from "../helpers/scope.ts";
import { serveApp } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { findTool } from "../tools.ts";

const DEADLINE_MS = 15_000;
const EXAMPLES = fileURLToPath(new URL("../../examples/systemd/", import.meta.url));
/** Each with the words after `print`. */
const EXAMPLE_UNITS = [
  ["own-socket/outrigger.service", "systemd", "--socket=/run/outrigger/app.sock"],
  ["takeover/outrigger@.service", "systemd", "--socket=/run/outrigger/app.sock", "--takeover"],
  ["socket-activation/outrigger.service", "systemd", "--listen=systemd:web"],
  ["socket-activation/web.socket", "systemd-socket", "--listen=systemd:web"],
] as const;
const TEMP_PATHS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

async function print(scope: Scope, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(scope, ["print", ...args]);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout;
}

/** Prints as in this folder, which need not be there. */
async function printUnit(args: readonly string[], cwd: string): Promise<string> {
  let stdout = "";
  const output = {
    isTerminal: false,
    columns: undefined,
    rows: undefined,
    onUnread: () => () => {},
  };
  const host: Host = {
    argv: ["print", ...args],
    env: {},
    cwd,
    cpuCount: 2,
    stdout: { ...output, write: (text) => void (stdout += text) },
    stderr: { ...output, write: (text) => assert.fail(text) },
    readFile: () => "{}",
    takeVariable: () => undefined,
    onSignal: () => () => {},
  };
  assert.equal(await run(host), 0);
  return stdout;
}

/** A whole nginx.conf around what belongs into its http block, on a port of ours. */
function wrap(snippet: string, dir: string, port: number): string {
  return `daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events {}
http {
access_log off;
${TEMP_PATHS.map((name) => `${name}_temp_path ${dir}/${name};`).join("\n")}
${snippet.replace("listen 8080;", `listen 127.0.0.1:${port};`)}
}
`;
}

describe("outrigger print nginx", needs("nginx"), () => {
  it("passes nginx -t, and a request gets through it", async (t) => {
    const dir = await tempDir(t);
    // A path that nginx would take apart without quotes.
    const socketPath = join(dir, "a b;c", "app.sock");
    await mkdir(dirname(socketPath));
    const listen = `${socketPath}?backlog=64`;
    const service = await serveApp(t, "hello.mjs", { args: ["--listen", listen] });
    const snippet = await print(t, "nginx", "--listen", listen, "--keep-alive-timeout", "30s");
    assert.match(snippet, /keepalive_timeout 22s; +# less than --keep-alive-timeout, which is 30s/);
    const port = await freePort();
    const conf = join(dir, "nginx.conf");
    await writeFile(conf, wrap(snippet, dir, port));
    const nginx = findTool("nginx");
    assert.ok(nginx !== undefined);
    const args = ["-p", dir, "-c", conf, "-e", join(dir, "error.log")];
    const test = spawnSync(nginx, ["-t", ...args], { encoding: "utf8" });
    assert.equal(test.status, 0, test.stderr);
    assert.doesNotMatch(test.stderr, /warn/);
    const group = startGroup(t, nginx, { args });
    group.stdout.resume();
    group.stderr.resume();
    const answer = await eventually(
      DEADLINE_MS,
      () => request({ port }).catch(() => undefined),
      "nginx to answer",
    );
    assert.deepEqual([answer.status, answer.text()], [200, "hello\n"]);
    assert.equal(await service.sum("outrigger_endpoint_connections_accepted_total"), 1);
  });

  it("is what the README shows", async (t) => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const [, shown] =
      /<!-- nginx:start -->\n```nginx\n(.*?)```\n<!-- nginx:end -->/s.exec(readme) ?? [];
    assert.equal(await print(t, "nginx", "--socket", "/run/outrigger/app.sock"), shown);
  });

  it("takes a TCP endpoint where there is no socket, and refuses where there is neither", async (t) => {
    assert.match(await print(t, "nginx", "--listen", ":8000"), /^    server 127\.0\.0\.1:8000;$/m);
    const refused = await runProgram(t, ["print", "nginx", "--listen", "@app"]);
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /^outrigger: Cannot print this snippet: nginx needs a Unix socket/,
    );
  });
});

describe("outrigger print kubernetes", () => {
  it("names the flags, probes and times of this configuration", async (t) => {
    const text = await print(
      t,
      ...["kubernetes", "./dist/app.js", "--socket", "/run/app/app.sock", "--ops", ":9100"],
      ...["--probe", ":9101", "--grace-period", "10s", "--workers", "3"],
    );
    const args = [...text.matchAll(/^        - (".*")$/gm)].map(([, arg = ""]) => JSON.parse(arg));
    assert.deepEqual(args, [
      "./dist/app.js", "--socket=/run/app/app.sock", "--probe=[::]:9101", "--workers=3",
      "--grace-period=10s", "--ops=:9100",
    ]); // prettier-ignore
    // What is printed means the same again.
    const again = await runProgram(t, [...args, "--print-config"]);
    const given = await runProgram(t, [
      "./dist/app.js", "--socket", "/run/app/app.sock", "--ops", ":9100", "--probe", ":9101",
      "--grace-period", "10s", "--workers", "3", "--print-config",
    ]); // prettier-ignore
    assert.equal(again.stdout, given.stdout);
    assert.match(text, /terminationGracePeriodSeconds: 60\n/);
    for (const path of ["startupz", "livez", "readyz"])
      assert.match(text, new RegExp(`httpGet: \\{ path: /${path}, port: 9100 \\}`));
    assert.doesNotMatch(text, /port: [a-z]/);
    assert.match(text, /restartPolicy: Always/);
    assert.match(text, /preStop: \{ sleep: \{ seconds: 15 \} \}/);
  });

  it("takes what variables and the config file say, and puts the ops endpoint within reach", async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, "o.json"), JSON.stringify({ "drain-delay": "3s" }));
    const { stdout } = await runProgram(t, ["print", "kubernetes", "--config", "o.json"], {
      env: { OUTRIGGER_SOCKET: "/run/a.sock" },
      cwd: dir,
    });
    assert.match(stdout, /"--socket=\/run\/a\.sock"\n.*"--drain-delay=3s"\n.*"--ops=:9464"\n/);
  });

  it("refuses what cannot be a pod", async (t) => {
    for (const [args, reason] of [
      [["--listen", ":80"], /it shares a Unix socket/],
      [["--socket", "/run/a.sock", "--ops", "off"], /probes need the ops endpoint/],
    ] as const) {
      const { code, stderr } = await runProgram(t, ["print", "kubernetes", ...args]);
      assert.equal(code, 2);
      assert.match(stderr, reason);
    }
  });
});

describe("outrigger print systemd", () => {
  it("has systemd make the directory of the socket, and waits for the drain", async (t) => {
    const args = ["./app.js", "--socket", "/run/shop/app.sock", "--grace-period", "20s"];
    const text = await print(t, "systemd", ...args);
    assert.match(text, /^RuntimeDirectory=shop$/m);
    assert.match(text, /^TimeoutStopSec=25$/m);
    assert.match(
      text,
      /^ExecStart=\S+\/node_modules\/\.bin\/outrigger \.\/app\.js --socket=\/run\/shop\/app\.sock --grace-period=20s --ops=127\.0\.0\.1:9464$/m,
    );
  });

  it("has no socket unit to print where no socket is handed over", async (t) => {
    const { code, stderr } = await runProgram(t, ["print", "systemd-socket"]);
    assert.equal(code, 2);
    assert.match(stderr, /no endpoint is handed over by systemd: add --listen systemd:web/);
  });
});

describe("the units in examples/systemd", () => {
  for (const [file, ...args] of EXAMPLE_UNITS) {
    it(`are what the program prints: ${file}`, async () => {
      assert.equal(await readFile(join(EXAMPLES, file), "utf8"), await printUnit(args, "/srv/app"));
    });
  }

  it("are understood by systemd, every word of them", needs("systemd-analyze"), async (t) => {
    const cwd = await tempDir(t);
    const program = join(cwd, "node_modules/.bin/outrigger");
    await mkdir(dirname(program), { recursive: true });
    await writeFile(program, "", { mode: 0o755 });
    const folders = new Set<string>();
    for (const [file, ...args] of EXAMPLE_UNITS) {
      const copy = join(cwd, "units", file);
      folders.add(dirname(copy));
      await mkdir(dirname(copy), { recursive: true });
      await writeFile(copy, await printUnit(args, cwd));
    }
    for (const folder of folders) {
      const units = (await readdir(folder)).map((name) => join(folder, name));
      const analyze = findTool("systemd-analyze") ?? "systemd-analyze";
      const { status, stderr } = spawnSync(analyze, ["verify", "--man=no", ...units], {
        encoding: "utf8",
      });
      assert.deepEqual([status, stderr], [0, ""]);
    }
  });
});

describe("outrigger print compose", () => {
  it("pairs the app with nginx on one volume, with our own health check", async (t) => {
    const text = await print(t, "compose", "--socket", "/run/app/app.sock", "--ops", ":9100");
    const [, test = ""] = /^      test: (.*)$/m.exec(text) ?? [];
    assert.deepEqual(JSON.parse(test), [
      "CMD", "node_modules/.bin/outrigger", "probe", "ready", "--ops=:9100",
    ]); // prettier-ignore
    assert.equal(text.match(/- "socket:\/run\/app"/g)?.length, 2);
    assert.match(text, /stop_grace_period: 35s/);
  });
});
