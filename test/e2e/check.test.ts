import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Finding } from "../../src/check/finding.ts";
import { needsRoot } from "../helpers/needs.ts";
import { knock } from "../helpers/knock.ts";
import { leaveStaleSocket, listenForeign } from "../helpers/other-owners.ts";
import { runProgram } from "../helpers/run-program.ts";
import type { Scope } from "../helpers/scope.ts";
import { serveApp } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const NGINX = 101;
const SHARED = 2000;

interface Checked {
  readonly code: number | null;
  readonly findings: readonly Finding[];
}

async function check(scope: Scope, ...args: readonly string[]): Promise<Checked> {
  const { code, stdout, stderr } = await runProgram(scope, ["check", "--json", ...args]);
  assert.equal(stderr, "");
  return { code, findings: JSON.parse(stdout) as Finding[] };
}

function textsOf({ findings }: Checked, level: Finding["level"]): string[] {
  return findings.filter((finding) => finding.level === level).map(({ text }) => text);
}

/** A directory with a socket path that everybody may enter. */
async function openDir(scope: Scope): Promise<{ dir: string; path: string }> {
  const dir = await tempDir(scope);
  await chmod(dir, 0o755);
  return { dir, path: join(dir, "app.sock") };
}

const CONNECT = `
  const socket = require("node:net").connect(process.argv[1], () => end("connected"));
  const end = (outcome) => { process.stdout.write(outcome); socket.destroy(); };
  socket.on("error", ({ code }) => end(code));`;

/** How a connect ends for nginx's user in these groups. */
function connectAs(path: string, groups: readonly number[]): string {
  const account = [`--reuid=${NGINX}`, `--regid=${groups[0]}`, `--groups=${groups.join(",")}`];
  const args = [...account, process.execPath, "-e", CONNECT, path];
  return spawnSync("setpriv", args, { encoding: "utf8", timeout: 10_000 }).stdout;
}

describe("outrigger check", () => {
  it("prints a line a finding, starts nothing and leaves nothing", async (t) => {
    const { dir, path } = await openDir(t);
    const args = ["check", "./app.js", "--socket", path, "--grace-period", "10s"];
    const { code, stdout, stderr } = await runProgram(t, args);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const line of stdout.trimEnd().split("\n")) assert.match(line, /^(?:ok|warn) +\S+: \S/);
    assert.match(stdout, new RegExp(`^ok +app: ${path} is free$`, "m"));
    assert.match(stdout, /^ok +app: nginx as uid 101, .* can connect to /m);
    assert.match(stdout, /^ok +grace-period: 10s end 20s before the 30s of the pod$/m);
    assert.match(stdout, /^ok +keep-alive-timeout: 75s are longer than the 1m of nginx$/m);
    assert.deepEqual(await readdir(dir), []);
  });

  it("fails with exit 1 and says what to change", async (t) => {
    const { path } = await openDir(t);
    const args = ["--socket", path, "--grace-period", "1m", "--keep-alive-timeout", "30s"];
    const { code, stdout } = await runProgram(t, ["check", ...args, "--pod-grace", "40s"]);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^fail +grace-period: 1m are longer than the 40s.*set terminationGracePeriodSeconds to 65 at least, or --grace-period 35s$/m,
    );
    assert.match(
      stdout,
      /^fail +keep-alive-timeout: 30s are not longer.*set --keep-alive-timeout 75s/m,
    );
  });

  it("tells who has the path: a dead socket, a live one, an outrigger or another file", async (t) => {
    const { dir, path } = await openDir(t);
    await leaveStaleSocket(t, path);
    assert.ok(
      textsOf(await check(t, "--socket", path), "ok").some((text) => /dead socket/.test(text)),
    );

    const foreign = join(dir, "foreign.sock");
    await listenForeign(t, foreign);
    const live = await check(t, "--socket", foreign);
    assert.equal(live.code, 1);
    assert.deepEqual(textsOf(live, "fail"), [
      `${foreign} belongs to a live process that accepts connections`,
    ]);

    const file = join(dir, "file.sock");
    await writeFile(file, "");
    assert.deepEqual(textsOf(await check(t, "--socket", file), "fail"), [
      `a regular file is at ${file}, not a socket`,
    ]);

    const service = await serveApp(t, "hello.mjs");
    const ours = await check(t, "--socket", service.socketPath);
    const text = `outrigger, pid ${service.program.pid}, serves ${service.socketPath}`;
    assert.ok(textsOf(ours, "ok").includes(text), JSON.stringify(ours));
    assert.equal(await knock(service.socketPath), "connected");
  });

  it("tells of a pid file that cannot be seen, and of a port that a pod keeps to itself", async (t) => {
    const { dir, path } = await openDir(t);
    const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1" };
    const args = ["check", "--socket", path, "--drain-until-gone", join(dir, "none", "nginx.pid")];
    const { code, stdout } = await runProgram(t, args, { env });
    assert.equal(code, 1);
    assert.match(stdout, /^fail +drain-until-gone: .*none does not exist, .*; mount the volume/m);
    assert.match(stdout, /^warn +ops: 127\.0\.0\.1:9464 is out of reach .*; set --ops :9464$/m);
    const there = ["check", "--socket", path, "--drain-until-gone", join(dir, "nginx.pid")];
    await writeFile(join(dir, "nginx.pid"), "1");
    const { stdout: second } = await runProgram(t, [...there, "--ops", ":9464"], { env });
    assert.match(second, /^ok +drain-until-gone: /m);
    assert.match(second, /^ok +ops: /m);
  });

  it("says that a directory is missing", async (t) => {
    const dir = await tempDir(t);
    const { code, findings } = await check(t, "--socket", join(dir, "none", "app.sock"));
    assert.equal(code, 1);
    assert.match(findings.find(({ level }) => level === "fail")?.text ?? "", /none does not exist/);
  });

  it("agrees with the kernel about who may connect", needsRoot(), async (t) => {
    const cases = [
      { mode: "0660", gid: SHARED, dirMode: 0o755, groups: [NGINX], may: false },
      { mode: "0660", gid: SHARED, dirMode: 0o755, groups: [NGINX, SHARED], may: true },
      { mode: "0666", gid: SHARED, dirMode: 0o755, groups: [NGINX], may: true },
      { mode: "0666", gid: SHARED, dirMode: 0o750, groups: [NGINX], may: false },
      { mode: "0660", gid: SHARED, dirMode: 0o2750, groups: [SHARED], may: true },
      { mode: "0606", gid: SHARED, dirMode: 0o755, groups: [SHARED], may: false },
    ];
    const outer = await openDir(t);
    for (const [index, { mode, gid, dirMode, groups, may }] of cases.entries()) {
      const dir = join(outer.dir, String(index));
      const path = join(dir, "app.sock");
      await mkdir(dir);
      await chown(dir, 0, gid);
      await chmod(dir, dirMode);
      const socket = ["--listen", `${path}?mode=${mode}&group=${gid}`];
      const as = `${NGINX}:${groups.join(",")}`;
      const what = JSON.stringify(cases[index]);
      const planned = await check(t, ...socket, "--as", as);
      const service = await serveApp(t, "hello.mjs", { args: socket });
      const served = await check(t, ...socket, "--as", as);
      assert.equal(connectAs(path, groups), may ? "connected" : "EACCES", what);
      assert.deepEqual([planned.code, served.code], may ? [0, 0] : [1, 1], what);
      service.program.signal("SIGTERM");
      await service.program.exit();
    }
  });
});
