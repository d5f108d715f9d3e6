import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { serveCode } from "../helpers/app-file.ts";
import { needs } from "../helpers/needs.ts";
import { openNotifySocket } from "../helpers/notify-socket.ts";
import { serveApp } from "../helpers/serving.ts";
import { STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const WATCHED = { WATCHDOG_USEC: "1000000" };

describe("the service manager in NOTIFY_SOCKET", needs("systemd-notify", "perl"), () => {
  for (const where of ["a path", "an abstract name"]) {
    it(`is told of the start, a reload and the stop: ${where}`, async (t) => {
      const name =
        where === "a path" ? join(await tempDir(t), "notify") : `@or-notify-${process.pid}`;
      const manager = await openNotifySocket(t, name);
      const env = { NOTIFY_SOCKET: name };
      const service = await serveApp(t, "hello.mjs", { env, args: ["--grace-period", "20s"] });
      const { program, socketPath } = service;
      const ready = await manager.find("ready", ({ READY }) => READY === "1");
      assert.equal(ready["STATUS"], `Ready, 1 of 1 workers ready, on ${socketPath}`);
      const beforeUsec = process.hrtime.bigint() / 1_000n;
      program.signal("SIGHUP");
      const reloading = await manager.find("reloading", ({ RELOADING }) => RELOADING === "1");
      assert.ok(BigInt(reloading["MONOTONIC_USEC"] ?? 0) > beforeUsec);
      await manager.find("ready again", ({ READY }) => READY === "1", reloading);
      program.signal("SIGTERM");
      assert.deepEqual(await program.exit(), STOPPED);
      const stopping = await manager.find("stopping", ({ STOPPING }) => STOPPING === "1");
      assert.equal(stopping["EXTEND_TIMEOUT_USEC"], "25000000");
      assert.equal(manager.messages.filter(({ READY }) => READY === "1").length, 2);
      assert.deepEqual(
        manager.messages.filter(({ WATCHDOG }) => WATCHDOG !== undefined),
        [],
      );
    });
  }

  it("is told only when as many workers are ready as --min-ready says", async (t) => {
    const name = join(await tempDir(t), "notify");
    const manager = await openNotifySocket(t, name);
    const args = ["--workers", "2", "--min-ready", "2"];
    await serveApp(t, "hello.mjs", { env: { NOTIFY_SOCKET: name }, args });
    const { STATUS = "" } = await manager.find("ready", ({ READY }) => READY === "1");
    assert.match(STATUS, /^Ready, 2 of 2 workers ready, on /);
  });

  it("gets signs of life when it wants them", async (t) => {
    const name = join(await tempDir(t), "notify");
    const manager = await openNotifySocket(t, name);
    await serveApp(t, "hello.mjs", { env: { NOTIFY_SOCKET: name, ...WATCHED } });
    const isAlive = ({ WATCHDOG }: { WATCHDOG?: string }): boolean => WATCHDOG === "1";
    const first = await manager.find("we live", isAlive);
    await manager.find("we still live", isAlive, first);
  });

  it("gets none of those that are meant for another process", async (t) => {
    const name = join(await tempDir(t), "notify");
    const manager = await openNotifySocket(t, name);
    const env = { NOTIFY_SOCKET: name, WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" };
    const { program } = await serveApp(t, "hello.mjs", { env });
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
    await manager.find("stopping", ({ STOPPING }) => STOPPING === "1");
    assert.deepEqual(
      manager.messages.filter(({ WATCHDOG }) => WATCHDOG !== undefined),
      [],
    );
  });

  it("hears why we are not ready any more", async (t) => {
    const name = join(await tempDir(t), "notify");
    const manager = await openNotifySocket(t, name);
    const code = `
      export const health = () => !globalThis.sick;
      export default (_req, res) => { globalThis.sick = true; res.end(); };
    `;
    const { request } = await serveCode(t, code, { env: { NOTIFY_SOCKET: name } });
    const ready = await manager.find("ready", ({ READY }) => READY === "1");
    await request({});
    const { STATUS } = await manager.find(
      "not ready",
      ({ STATUS: line }) => line?.startsWith("Not ready") === true,
      ready,
    );
    assert.match(STATUS ?? "", /0 workers have a healthy app, 1 needed/);
  });

  it("is named once in the log when it cannot be told", async (t) => {
    const name = join(await tempDir(t), "nobody");
    const { program } = await serveApp(t, "hello.mjs", {
      env: { NOTIFY_SOCKET: name, ...WATCHED },
    });
    const { problem } = await program.line("service manager cannot be told");
    assert.match(String(problem), /systemd-notify exited with 1/);
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), STOPPED);
    assert.equal(
      program.lines.filter(({ msg }) => msg === "service manager cannot be told").length,
      1,
    );
  });
});
