import assert from "node:assert/strict";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { eventually, within } from "../helpers/deadline.ts";
import { startHaproxy } from "../helpers/haproxy.ts";
import { request } from "../helpers/http.ts";
import { everReady, logged } from "../helpers/log-count.ts";
import { needs } from "../helpers/needs.ts";
import { onEnd } from "../helpers/scope.ts";
import { serveApp } from "../helpers/serving.ts";
import { SteadyClient, sumUp } from "../helpers/steady-client.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;

describe("HAProxy that speaks HTTP/2 to us", needs("haproxy"), () => {
  for (const kind of ["unix", "tcp"] as const) {
    it(`carries bodies and many requests at once, over ${kind}`, async (t) => {
      const socketPath = join(await tempDir(t), "s");
      const listen = kind === "unix" ? socketPath : "127.0.0.1:0";
      const { program, dir, sum } = await serveApp(t, "hello.mjs", {
        args: ["--listen", `${listen}?http=2`],
      });
      const address = kind === "unix" ? `unix@${socketPath}` : await program.address();
      const port = await startHaproxy(t, { dir, mode: "http", server: `${address} proto h2` });
      const body = randomBytes(3_000_000);
      const [echoed, ...answers] = await Promise.all([
        request({ port, method: "POST", path: "/echo", body }),
        ...Array.from({ length: 100 }, () => request({ port, path: "/json" })),
      ]);
      assert.ok(echoed.body.equals(body));
      assert.deepEqual(
        new Set(answers.map((answer) => answer.text())),
        new Set(['{"hello":"world"}']),
      );
      assert.equal(await sum("http_server_request_duration_seconds_count", { status: "2xx" }), 101);
    });
  }

  it("loses no request in a rolling reload", async (t) => {
    const { program, dir, socketPath } = await serveApp(t, "hello.mjs", {
      args: ["--workers", "2", "--min-ready", "2", "--access-log", "off"],
    });
    const port = await startHaproxy(t, {
      dir,
      mode: "http",
      server: `unix@${socketPath} proto h2`,
    });
    await everReady(program, 2);
    const target = { host: "127.0.0.1", port };
    const clients = Array.from({ length: 4 }, () => new SteadyClient(t, { target, path: "/json" }));
    for (let hups = 1; hups <= 2; hups += 1) {
      program.signal("SIGHUP");
      await logged(program, "reload done", hups);
    }
    await logged(program, "worker exited", 4);
    const enough = async (): Promise<true | undefined> => sumUp(clients).answered > 50 || undefined;
    await eventually(DEADLINE_MS, enough, "many answers");
    for (const client of clients) await client.stop();
    assert.deepEqual(sumUp(clients).failures, []);
  });

  it("carries WebSockets over HTTP/1.1 to the same socket, with ws h1", async (t) => {
    const { dir, socketPath } = await serveApp(t, "hello.mjs");
    const server = `unix@${socketPath} proto h2 ws h1`;
    const port = await startHaproxy(t, { dir, mode: "http", server });
    assert.equal((await request({ port, path: "/json" })).status, 200);
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
    onEnd(t, () => webSocket.terminate());
    await within(DEADLINE_MS, once(webSocket, "open"), "the WebSocket to open");
    webSocket.send("hello");
    const [echo] = await within(DEADLINE_MS, once(webSocket, "message"), "the echo");
    assert.equal(String(echo), "hello");
  });
});
