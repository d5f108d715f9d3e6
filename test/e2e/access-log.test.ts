import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually, within } from "../helpers/deadline.ts";
import { request, stream } from "../helpers/http.ts";
import type { LogLine } from "../helpers/log-lines.ts";
import { needs } from "../helpers/needs.ts";
import { startNginx } from "../helpers/nginx.ts";
import { startGroup } from "../helpers/process-group.ts";
import { portOf, PROGRAM } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 30_000;

async function stop({ program }: Serving): Promise<void> {
  program.signal("SIGTERM");
  assert.deepEqual(await program.exit(), { code: 0, signal: null });
}

async function requestLines(serving: Serving): Promise<LogLine[]> {
  await stop(serving);
  return serving.program.lines.filter(({ msg }) => msg === "request");
}

function createAgent(scope: Scope, maxSockets: number): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets });
  onEnd(scope, () => agent.destroy());
  return agent;
}

interface Load {
  readonly socketPath: string;
  /** Whose connections are used, in turn. */
  readonly agents: readonly http.Agent[];
  readonly count: number;
  readonly path: (n: number) => string;
}

/** Sends requests over keep-alive connections, many at a time; resolves when all are answered. */
async function load({ socketPath, agents, count, path }: Load): Promise<void> {
  const statuses = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const agent = agents[n % agents.length] ?? http.globalAgent;
      return (await request({ socketPath, agent, path: path(n) })).status;
    }),
  );
  assert.deepEqual(new Set(statuses), new Set([404]));
}

/** Connections to two workers: while those that are known are busy, another one has to accept. */
async function reachTwoWorkers(scope: Scope, socketPath: string): Promise<http.Agent[]> {
  const agents = new Map<string, http.Agent>();
  const reachAnother = async (): Promise<true | undefined> => {
    const busy = [...agents.values()].map((agent) =>
      request({ socketPath, agent, path: "/block?ms=100" }),
    );
    const agent = createAgent(scope, 1);
    agents.set((await request({ socketPath, agent, path: "/pid" })).text(), agent);
    await Promise.all(busy);
    return agents.size > 1 ? true : undefined;
  };
  await eventually(DEADLINE_MS, reachAnother, "a second worker to accept");
  return [...agents.values()];
}

describe("--access-log json", () => {
  it("is the default: one line a request, with what is known of it", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const headers = { "user-agent": "test/1", referer: "http://elsewhere/" };
    await serving.request({ path: "/upload?x=1", body: "body", headers });
    const lines = await requestLines(serving);
    assert.equal(lines.length, 1);
    const { time, pid, duration_ms: durationMs, bytes, request_id: id, ...line } = lines[0] ?? {};
    assert.match(String(id), /^[0-9a-f]{16}-[0-9a-z]+$/);
    assert.deepEqual(line, {
      level: 30,
      msg: "request",
      endpoint: "app",
      client: "unix",
      method: "POST",
      path: "/upload?x=1",
      status: 200,
      referer: "http://elsewhere/",
      user_agent: "test/1",
    });
    assert.ok(Math.abs(Date.now() - Number(time)) < 60_000);
    assert.ok(
      serving.program.lines.some(
        ({ msg, pid: worker }) => msg === "worker ready" && worker === pid,
      ),
    );
    assert.ok(Number(durationMs) > 0 && Number(bytes) > 50);
  });

  it("names the endpoint and the client of a TCP connection", async (t) => {
    const args = ["--listen", "127.0.0.1:0?name=direct"];
    const serving = await serveApp(t, "hello.mjs", { args });
    const port = portOf(await serving.program.address());
    await request({ port, headers: { "x-forwarded-for": "203.0.113.7" } });
    const [line] = await requestLines(serving);
    assert.deepEqual([line?.["endpoint"], line?.["client"]], ["direct", "127.0.0.1"]);
  });

  it("names a TCP client that has left, and does not believe it either", async (t) => {
    const serving = await serveApp(t, "flow.mjs", { args: ["--listen", "127.0.0.1:0"] });
    const port = portOf(await serving.program.address());
    const headers = { "x-forwarded-for": "203.0.113.7" };
    const response = await stream({ port, path: "/endless", headers });
    await within(DEADLINE_MS, once(response, "data"), "the first chunk");
    response.destroy();
    const line = await serving.program.line(({ path }) => path === "/endless");
    assert.deepEqual([line["status"], line["client"]], [499, "127.0.0.1"]);
  });

  it("names the client that nginx names", needs("nginx"), async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const { port } = await startNginx(t, { dir: serving.dir, socket: serving.socketPath });
    await request({ port, headers: { "x-forwarded-for": "203.0.113.7" } });
    const [line] = await requestLines(serving);
    assert.equal(line?.["client"], "127.0.0.1");
  });
});

describe("--access-log combined", () => {
  it("writes Apache's format", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--access-log", "combined"] });
    const headers = { "user-agent": 'a "quoted" agent', "x-forwarded-for": "203.0.113.7" };
    await serving.request({ path: "/?x", headers });
    await stop(serving);
    const lines = serving.program.stdout.split("\n").filter((line) => line.includes("GET"));
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /^203\.0\.113\.7 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/\?x HTTP\/1\.1" 200 \d+ "-" "a \\x22quoted\\x22 agent"$/,
    );
  });
});

describe("--access-log off", () => {
  it("writes nothing about requests", async (t) => {
    const serving = await serveApp(t, "hello.mjs", { args: ["--access-log", "off"] });
    await serving.request({ path: "/secret" });
    await stop(serving);
    assert.doesNotMatch(serving.program.stdout + serving.program.stderr, /secret|"request"/);
  });
});

describe("what a client puts into the access log", () => {
  const HOSTILE = String.raw`/"}{"level":60,"msg":"forged\n<script>'`;

  for (const format of ["json", "combined"]) {
    it(`cannot break out of its ${format} line`, async (t) => {
      const serving = await serveApp(t, "hello.mjs", { args: ["--access-log", format] });
      const client = await RawClient.open(t, { path: serving.socketPath });
      client.send(
        `GET ${HOSTILE} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n` +
          `User-Agent: "\\\t\u0080\u00ff\r\nReferer: \u001b[31mred\r\n\r\n`,
      );
      // Control characters in a header are no HTTP; what is left of the request has to be tame.
      await client.ended();
      const second = await RawClient.open(t, { path: serving.socketPath });
      second.send(
        `GET ${HOSTILE} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nUser-Agent: "\\\t\u0080\u00ff\r\n\r\n`,
      );
      assert.match(await second.ended(), /^HTTP\/1\.1 404 /);
      await stop(serving);
      const { stdout } = serving.program;
      assert.match(stdout, /^[\n -~]*$/, "only printable ASCII");
      const lines = stdout.split("\n").filter((line) => line.includes("forged"));
      assert.ok(lines.length >= 1);
      if (format === "json") {
        for (const line of lines) {
          const { level, msg, path } = JSON.parse(line) as LogLine;
          assert.deepEqual([level, msg, path], [30, "request", HOSTILE]);
        }
      } else for (const line of lines) assert.match(line, /^unix - - \[[^\]]+\] "GET \/\\x22\}\{/);
    });
  }

  it("is cut where it is too long", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const headers = { "user-agent": '"'.repeat(5_000), referer: "\u00ff".repeat(5_000) };
    await serving.request({ path: `/${"x".repeat(4_000)}`, headers });
    const [line] = await requestLines(serving);
    assert.equal(line?.["path"], `/${"x".repeat(1_023)}…`);
    const text = serving.program.stdout.split("\n").find((written) => written.includes("/xxx"));
    // No longer than what one write to a pipe keeps whole.
    assert.ok(text !== undefined && text.length < 4_096, `${text?.length} bytes`);
  });
});

describe("lines of an access log", () => {
  it("are whole when several workers share a pipe", async (t) => {
    const dir = await tempDir(t);
    const socketPath = join(dir, "s");
    const file = join(dir, "log");
    const args = [PROGRAM, fixture("hello.mjs"), "--listen", socketPath, "--ops", "off"];
    const group = startGroup(t, "sh", {
      // A real pipe: what a test is given to read from is a socket, which keeps writes apart.
      args: [
        "-c",
        '"$@" | cat > "$0"',
        file,
        process.execPath,
        ...args,
        "--workers",
        "3",
        "--min-ready",
        "3",
      ],
    });
    const logged = async (): Promise<string> => await readFile(file, "utf8").catch(() => "");
    const pid = await eventually(
      DEADLINE_MS,
      async () => {
        const text = await logged();
        return text.includes('"msg":"ready"') ? /"pid":(\d+)/.exec(text)?.[1] : undefined;
      },
      "the program to be ready",
    );
    const count = 3_000;
    const agents = [...(await reachTwoWorkers(t, socketPath)), createAgent(t, 32)];
    await load({ socketPath, agents, count, path: (n) => `/${n}-${"x".repeat(n % 700)}` });
    process.kill(Number(pid), "SIGTERM");
    await within(DEADLINE_MS, group.closed, "the program to exit");
    const text = await logged();
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as LogLine);
    const requests = lines.filter(({ msg, status }) => msg === "request" && status === 404);
    assert.equal(new Set(requests.map(({ path }) => path)).size, count);
    assert.equal(requests.length, count);
    assert.ok(new Set(requests.map(({ pid: worker }) => worker)).size > 1, "one worker did it all");
  });

  it("are all there when a burst ends right before SIGTERM", async (t) => {
    const serving = await serveApp(t, "hello.mjs");
    const count = 500;
    const agents = [createAgent(t, 32)];
    await load({ socketPath: serving.socketPath, agents, count, path: (n) => `/${n}` });
    const lines = await requestLines(serving);
    assert.equal(lines.length, count);
    assert.equal(new Set(lines.map(({ path }) => path)).size, count);
  });
});
