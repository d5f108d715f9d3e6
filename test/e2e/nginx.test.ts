import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { within } from "../helpers/deadline.ts";
import { openRequest, request, stream } from "../helpers/http.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx, type Nginx, type NginxOptions } from "../helpers/nginx.ts";
import { startProgram } from "../helpers/program.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const BODY_BYTES = 5 * 1024 * 1024;

interface Stack {
  readonly serving: Serving;
  readonly nginx: Nginx;
  readonly port: number;
}

interface StackOptions extends Partial<Omit<NginxOptions, "dir" | "socket">> {
  readonly app?: string;
}

async function startStack(
  scope: Scope,
  { app = "hello.mjs", ...options }: StackOptions = {},
): Promise<Stack> {
  const serving = await serveApp(scope, app);
  const nginx = await startNginx(scope, {
    dir: serving.dir,
    socket: serving.socketPath,
    ...options,
  });
  return { serving, nginx, port: nginx.port };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe("nginx in front of a Unix socket", needs("nginx"), () => {
  it("passes a GET on and the answer back", async (t) => {
    const { port } = await startStack(t);
    const response = await request({ port, path: "/" });
    assert.deepEqual([response.status, response.text()], [200, "hello\n"]);
  });

  for (const buffering of ["on", "off"] as const) {
    it(`carries 5 MB bodies unchanged both ways, buffering ${buffering}`, async (t) => {
      const { port } = await startStack(t, {
        proxyRequestBuffering: buffering,
        proxyBuffering: buffering,
      });
      const body = randomBytes(BODY_BYTES);
      const uploaded = await request({ port, path: "/upload", body });
      assert.deepEqual(uploaded.json(), { bytes: BODY_BYTES, sha256: sha256(body) });
      const returned = await request({ port, path: "/return", body });
      assert.deepEqual([returned.status, sha256(returned.body)], [200, sha256(body)]);
    });
  }

  it("serves 1,000 keep-alive requests over few upstream connections", async (t) => {
    const { serving, port } = await startStack(t);
    const clients = 8;
    const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
    onEnd(t, () => agent.destroy());
    const statuses = await Promise.all(
      Array.from({ length: 1_000 }, async () => (await request({ port, agent })).status),
    );
    assert.deepEqual(new Set(statuses), new Set([200]));
    const metrics = await serving.metrics();
    const count = metrics.sum("http_server_request_duration_seconds_count", { status: "2xx" });
    assert.equal(count, 1_000);
    const accepted = metrics.sum("outrigger_endpoint_connections_accepted_total");
    assert.ok(accepted >= 1 && accepted <= 2 * clients, `${accepted} upstream connections`);
  });

  it("delivers a streamed response chunk by chunk", async (t) => {
    const { port } = await startStack(t, { app: "flow.mjs", proxyBuffering: "off" });
    const steps = 5;
    const response = await stream({ port, path: `/steps?count=${steps}` });
    response.setEncoding("utf8");
    for (let step = 1; step <= steps; step += 1) {
      // The app writes the next chunk only after the release, so this one came alone.
      const [chunk] = await within(DEADLINE_MS, once(response, "data"), `step ${step}`);
      assert.equal(chunk, `step ${step}\n`);
      assert.equal(response.complete, false);
      await request({ port, method: "POST", path: "/release" });
    }
    await within(DEADLINE_MS, once(response, "end"), "the end of the response");
  });

  it("delivers a streamed request chunk by chunk", async (t) => {
    const { port } = await startStack(t, { proxyRequestBuffering: "off", proxyBuffering: "off" });
    const { request: sent, response: head } = openRequest({ port, method: "POST", path: "/echo" });
    sent.write("first");
    const response = await within(DEADLINE_MS, head, "the head of the response");
    response.setEncoding("utf8");
    const [first] = await within(DEADLINE_MS, once(response, "data"), "the echo of the first part");
    sent.end("last");
    const rest = await within(DEADLINE_MS, response.toArray(), "the rest of the response");
    assert.deepEqual([first, rest.join("")], ["first", "last"]);
  });

  it("lets WebSockets through to a node handler", async (t) => {
    const { serving, port } = await startStack(t);
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
    onEnd(t, () => webSocket.terminate());
    await within(DEADLINE_MS, once(webSocket, "open"), "the WebSocket to open");
    for (const message of ["hello", "", randomBytes(1024 * 1024)]) {
      webSocket.send(message);
      const [echo, isBinary] = (await within(
        DEADLINE_MS,
        once(webSocket, "message"),
        "the echo",
      )) as [Buffer, boolean];
      assert.equal(isBinary, typeof message !== "string");
      assert.ok(echo.equals(Buffer.from(message)));
    }
    assert.equal(await serving.sum("outrigger_endpoint_connections"), 1);
    webSocket.close(1000, "done");
    const [code] = await within(DEADLINE_MS, once(webSocket, "close"), "the WebSocket to close");
    assert.equal(code, 1000);
  });

  it("recovers without a reload when it was started before the socket existed", async (t) => {
    const dir = await tempDir(t);
    const socket = join(dir, "app.sock");
    const { port } = await startNginx(t, { dir, socket });
    assert.equal((await request({ port })).status, 502);
    const program = startProgram(t, {
      args: [fixture("hello.mjs"), "--listen", socket, "--ops", "off", "--workers", "1"],
    });
    await program.ready();
    assert.equal((await request({ port })).status, 200);
  });

  it("sees nothing of the socket before the app has started", async (t) => {
    const dir = await tempDir(t);
    const socket = join(dir, "app.sock");
    const { port } = await startNginx(t, { dir, socket });
    const program = startProgram(t, {
      args: [fixture("slow-start.mjs"), "--listen", socket, "--ops", "off", "--workers", "1"],
    });
    const answers = new Set<string>();
    let isReady = false;
    const ready = program.ready().finally(() => (isReady = true));
    while (!isReady) {
      const answer = await request({ port });
      answers.add(answer.status === 502 ? "502" : `${answer.status} ${answer.text()}`);
    }
    await ready;
    answers.add((await request({ port })).text());
    assert.equal(answers.has("200 too early"), false);
    assert.ok(answers.has("502") && answers.has("started"), [...answers].join(", "));
  });
});
