import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { eventually } from "../helpers/deadline.ts";
import { describeDir } from "../helpers/dir-snapshot.ts";
import { connectionsOf, openKeptAlive, unevenness } from "../helpers/even-load.ts";
import { openRequest, readResponse, request, type RequestOptions } from "../helpers/http.ts";
import { everReady } from "../helpers/log-count.ts";
import { scrape } from "../helpers/metrics.ts";
import { needs, needsPidNamespace, needsRoot } from "../helpers/needs.ts";
import { freePort } from "../helpers/nginx.ts";
import { NOBODY } from "../helpers/other-user.ts";
import { firstProcessOf, UNSHARE } from "../helpers/pid-namespace.ts";
import { makePlace, type Place } from "../helpers/place.ts";
import { portOf, startProgram, type Program } from "../helpers/program.ts";
import type { Scope } from "../helpers/scope.ts";
import { runProgram } from "../helpers/run-program.ts";
import { fixture } from "../helpers/serving.ts";
import { activate, keepListening } from "../helpers/socket-keeper.ts";
import { accepted, queued, STOPPED } from "../helpers/stopping.ts";
import { findTool } from "../tools.ts";

const DEADLINE_MS = 15_000;
const CONNECTIONS = 64;
const ENV_APP = `export default (_req, res) => res.end(JSON.stringify(Object.keys(process.env)));\n`;

interface Context {
  readonly endpoint: string;
  readonly server: unknown;
}

interface Kept extends Place {
  readonly descriptor: number;
}

/** A Unix socket that somebody else holds. */
async function keepSocket(scope: Scope): Promise<Kept> {
  const place = await makePlace(scope);
  return { ...place, descriptor: keepListening(scope, { path: place.path }) };
}

function argsOf(...endpoints: readonly string[]): string[] {
  const listen = endpoints.flatMap((endpoint) => ["--listen", endpoint]);
  return [fixture("hello.mjs"), ...listen, "--ops", "127.0.0.1:0", "--workers", "2"];
}

/** The pid of the worker that answers. */
async function answeredBy(options: RequestOptions): Promise<number> {
  const { status, text } = await request({ ...options, path: "/pid" });
  assert.equal(status, 200);
  return Number(text());
}

async function stop(program: Program): Promise<void> {
  program.signal("SIGTERM");
  assert.deepEqual(await program.exit(), STOPPED);
}

describe("systemd-socket-activate", needs("systemd-socket-activate"), () => {
  it("hands a Unix and a TCP socket over: both serve, and neither is unlinked", async (t) => {
    const { dir, path } = await makePlace(t);
    const port = await freePort();
    const listen = ["-l", path, "-l", `127.0.0.1:${port}`];
    const program = startProgram(t, {
      args: argsOf("systemd:web", "systemd:tcp?name=tcp"),
      wrapper: [
        findTool("systemd-socket-activate") ?? "", "-E", "PATH", ...listen, "--fdname=web:tcp",
      ], // prettier-ignore
    });
    await eventually(DEADLINE_MS, () => existsSync(path) || undefined, "the socket");
    const before = await describeDir(dir);
    // The first one starts the program, which answers it.
    const first = (): Promise<number | undefined> =>
      answeredBy({ socketPath: path }).catch(() => undefined);
    await eventually(DEADLINE_MS, first, "an answer on the Unix socket");
    await answeredBy({ port });
    const { endpoints } = await program.ready();
    assert.deepEqual(endpoints, [
      { name: "systemd:web", address: path, handed: "systemd:web" },
      { name: "tcp", address: `127.0.0.1:${port}`, handed: "systemd:tcp" },
    ]);
    assert.deepEqual(await describeDir(dir), before);
    await stop(program);
    assert.deepEqual(await describeDir(dir), before);
  });
});

describe("a socket that is handed over", needs("perl"), () => {
  it("keeps file, inode and mode over restarts, and what came between them is answered", async (t) => {
    const { dir, path, descriptor } = await keepSocket(t);
    await chmod(path, 0o640);
    const before = await describeDir(dir);
    const start = (): Program =>
      activate(t, { args: argsOf("systemd:web"), descriptors: [descriptor], names: ["web"] });
    const first = start();
    await first.ready();
    const firstPid = await answeredBy({ socketPath: path });
    await stop(first);
    const waiting = Array.from({ length: 5 }, () =>
      openRequest({ socketPath: path, path: "/pid" }),
    );
    for (const { request: sent } of waiting) sent.end();
    await queued(dir, 5);
    const second = start();
    for (const { response } of waiting) {
      const { status, text } = await readResponse(await response);
      assert.equal(status, 200);
      assert.notEqual(Number(text()), firstPid);
    }
    await stop(second);
    assert.deepEqual(await describeDir(dir), before);
  });

  it("takes connections while the last requests are finished, for the next process", async (t) => {
    const { dir, path, descriptor } = await keepSocket(t);
    const options = { args: argsOf("systemd:web"), descriptors: [descriptor], names: ["web"] };
    const first = activate(t, options);
    await first.ready();
    const slow = request({ socketPath: path, path: "/slow?ms=2000" });
    await accepted(dir, 1);
    first.signal("SIGTERM");
    await first.line("endpoints withdrawn");
    assert.equal((await slow).status, 200);
    assert.deepEqual(await first.exit(), STOPPED);
    const late = answeredBy({ socketPath: path });
    await queued(dir, 1);
    const second = activate(t, options);
    await late;
    await stop(second);
  });

  it("outlives SIGKILL as it is, and its next process needs no lock", async (t) => {
    const { dir, path, descriptor } = await keepSocket(t);
    const before = await describeDir(dir);
    const options = { args: argsOf("systemd:web"), descriptors: [descriptor], names: ["web"] };
    const first = activate(t, options);
    await first.ready();
    const workers = first.workerPids();
    first.signal("SIGKILL");
    await first.exit();
    assert.deepEqual(await describeDir(dir), before);
    const second = activate(t, options);
    assert.ok(!workers.includes(await answeredBy({ socketPath: path })));
    await stop(second);
  });

  it("goes on over a reload and the end of a worker", async (t) => {
    const { path, descriptor } = await keepSocket(t);
    const program = activate(t, { args: argsOf("fd:3"), descriptors: [descriptor] });
    await program.ready();
    const before = new Set(program.workerPids());
    program.signal("SIGHUP");
    await program.line("reload done");
    const pid = await answeredBy({ socketPath: path });
    assert.ok(!before.has(pid));
    process.kill(pid, "SIGKILL");
    await program.line(({ msg, signal }) => msg === "worker exited" && signal === "SIGKILL");
    assert.notEqual(await answeredBy({ socketPath: path }), pid);
    await stop(program);
  });

  it("may be served by several at once, whose answers are as good", async (t) => {
    const { descriptor } = await keepSocket(t);
    const options = { args: argsOf("fd:3"), descriptors: [descriptor] };
    const programs: Program[] = [];
    for (let count = 0; count < 4; count += 1) {
      const program = activate(t, options);
      await program.ready();
      programs.push(program);
    }
    for (const program of programs) await stop(program);
  });

  it("has its connections shared out evenly among the workers", async (t) => {
    const unix = await keepSocket(t);
    const tcp = keepListening(t, { host: "127.0.0.1", port: 0 });
    const program = activate(t, {
      args: argsOf("fd:3", "fd:4"),
      descriptors: [unix.descriptor, tcp],
    });
    await everReady(program, 2);
    const { ops = "", endpoints } = await program.ready();
    const service = { metrics: () => scrape(portOf(ops)) };
    const targets = [
      { path: unix.path },
      { host: "127.0.0.1", port: portOf(endpoints[1]?.address ?? "") },
    ];
    for (const target of targets) {
      const clients = await openKeptAlive(t, target, CONNECTIONS);
      const counts = await connectionsOf(service, CONNECTIONS);
      assert.ok(unevenness(counts) <= 1.2, [...counts.values()].join(" "));
      for (const client of clients) await client.close();
      await connectionsOf(service, 0);
    }
    await stop(program);
  });

  it("is an endpoint with a name and an address of its own, also where several share a name", async (t) => {
    const unix = await keepSocket(t);
    const v6 = keepListening(t, { host: "::1", port: 0 });
    const v4 = keepListening(t, { host: "127.0.0.1", port: 0 });
    const program = activate(t, {
      args: argsOf("systemd:web?name=shop", "systemd:local"),
      descriptors: [unix.descriptor, v4, v6],
      names: ["web", "local", "web"],
    });
    const { endpoints, ops = "" } = await program.ready();
    const [, second, third] = endpoints;
    assert.deepEqual(
      endpoints.map(({ name, handed }) => [name, handed]),
      [["shop:1", "systemd:web"], ["shop:2", "systemd:web"], ["systemd:local", "systemd:local"]],
    ); // prettier-ignore
    assert.match(second?.address ?? "", /^\[::1\]:\d+$/);
    const whoami = async (target: RequestOptions): Promise<unknown> => {
      const { endpoint, server } = (
        await request({ ...target, path: "/whoami" })
      ).json() as Context;
      return [endpoint, server];
    };
    assert.deepEqual(await whoami({ socketPath: unix.path }), ["shop:1", { path: unix.path }]);
    const port6 = portOf(second?.address ?? "");
    assert.deepEqual(await whoami({ host: "::1", port: port6 }), [
      "shop:2",
      { host: "::1", port: port6 },
    ]);
    const port4 = portOf(third?.address ?? "");
    assert.deepEqual(await whoami({ port: port4 }), [
      "systemd:local",
      { host: "127.0.0.1", port: port4 },
    ]);
    const metrics = await scrape(portOf(ops));
    for (const endpoint of ["shop:1", "shop:2", "systemd:local"]) {
      assert.equal(metrics.sum("outrigger_endpoint_up", { endpoint }), 1);
      assert.equal(metrics.sum("outrigger_endpoint_connections_accepted_total", { endpoint }), 1);
    }
    assert.equal(metrics.value("outrigger_endpoint_accept_queue", { endpoint: "shop:1" }), 0);
    const { stdout } = await runProgram(t, ["status", "--ops", ops]);
    assert.match(stdout, new RegExp(`shop:1 .*${unix.path}`));
    await stop(program);
  });

  it("is known neither to the workers nor to the app, nor are the variables it came with", async (t) => {
    for (const workers of ["0", "1"]) {
      const { path, descriptor } = await keepSocket(t);
      const { dir } = await makePlace(t);
      const app = join(dir, "app.mjs");
      await writeFile(app, ENV_APP);
      const args = [app, "--listen", "systemd:web", "--ops", "127.0.0.1:0", "--workers", workers];
      const env = { WATCHDOG_USEC: "60000000", NOTIFY_SOCKET: "/nowhere" };
      const program = activate(t, { args, env, descriptors: [descriptor], names: ["web"] });
      await program.ready();
      const names = (await request({ socketPath: path })).json() as string[];
      assert.deepEqual(
        names.filter((name) => /^LISTEN_|^NOTIFY_|^WATCHDOG_/.test(name)),
        [],
      );
      await stop(program);
      assert.deepEqual(await readdir(dirname(path)), ["app.sock"]);
    }
  });

  it("serves also where its file is not for us to connect to", needsRoot(), async (t) => {
    const { path, descriptor } = await keepSocket(t);
    await chmod(path, 0o600);
    const program = activate(t, {
      args: argsOf("systemd:web"),
      descriptors: [descriptor],
      names: ["web"],
      node: "setpriv",
      nodeArgs: [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", process.execPath],
    });
    await program.ready();
    await answeredBy({ socketPath: path });
    await stop(program);
  });

  it("is warned of when nobody wants it", async (t) => {
    const { descriptor } = await keepSocket(t);
    const program = activate(t, {
      args: argsOf("127.0.0.1:0"),
      descriptors: [descriptor],
      names: ["web"],
    });
    const { name } = await program.line("handed socket is not used");
    assert.equal(name, "web");
    await program.ready();
    await stop(program);
  });

  it(
    "is served by the first process of a container, which stays the first for its sake",
    needsPidNamespace(),
    async (t) => {
      const { path, descriptor } = await keepSocket(t);
      const program = startProgram(t, {
        args: argsOf("fd:3"),
        descriptors: [descriptor],
        wrapper: UNSHARE,
      });
      await program.ready();
      await answeredBy({ socketPath: path });
      process.kill(firstProcessOf(program), "SIGTERM");
      assert.deepEqual(await program.exit(), STOPPED);
    },
  );
});

describe("a socket that cannot be handed over", needs("perl"), () => {
  const refused: [string, string, Readonly<Record<string, string>>, RegExp][] = [
    ["for another process", "systemd:web", { LISTEN_PID: "1" }, /systemd:web: sockets were handed over for process 1, and we are process \d+; start us without/],
    ["of another name", "systemd:wbe", {}, /systemd:wbe: we were handed no socket of that name, but "web"; FileDescriptorName=/],
    ["that is not there", "fd:14", {}, /fd:14: descriptor 14 is not/],
  ]; // prettier-ignore
  for (const [what, endpoint, env, says] of refused) {
    it(`is refused with a sentence: one ${what}`, async (t) => {
      const { dir, descriptor } = await keepSocket(t);
      const before = await describeDir(dir);
      const args = argsOf(endpoint);
      const program = activate(t, { args, env, descriptors: [descriptor], names: ["web"] });
      assert.deepEqual(await program.exit(), { code: 3, signal: null });
      assert.match(program.stderr, says);
      assert.deepEqual(await describeDir(dir), before);
    });
  }

  it("is refused with a sentence: TCP with PROXY headers that nobody may send", async (t) => {
    const descriptor = keepListening(t, { host: "127.0.0.1", port: 0 });
    const args = argsOf("fd:3?proxy-protocol=require");
    const program = activate(t, { args, descriptors: [descriptor] });
    assert.deepEqual(await program.exit(), { code: 2, signal: null });
    assert.match(program.stderr, /"fd:3": .* add the address of the proxy to --trusted-proxies/);
  });

  it("is refused with a sentence: one that every process we start would have", async (t) => {
    const { descriptor } = await keepSocket(t);
    const program = startProgram(t, {
      args: argsOf("fd:99"),
      descriptors: [descriptor],
      wrapper: ["bash", "-c", 'exec 99<&3 3<&-; exec "$@"', "bash"],
    });
    assert.deepEqual(await program.exit(), { code: 3, signal: null });
    assert.match(program.stderr, /fd:99: descriptor 99 would stay open in every process we start/);
  });
});
