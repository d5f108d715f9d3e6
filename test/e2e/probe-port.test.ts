import assert from "node:assert/strict";
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { eventually } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import { openDescriptors } from "../helpers/kernel.ts";
import { knockPort } from "../helpers/knock.ts";
import { freePort } from "../helpers/nginx.ts";
import { portOf, startProgram, type Program } from "../helpers/program.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd } from "../helpers/scope.ts";
import { fixture, serveApp, type Serving } from "../helpers/serving.ts";
import { STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const CLOSED_WITHIN_MS = 200;
const PATIENCE_MS = 5_000;
const INFO = 30;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** The program with a probe port of the system's choice, and where that is. */
async function serveWithProbe(
  t: TestContext,
  app: string,
  { args = [], env = {} }: { args?: readonly string[]; env?: Record<string, string> } = {},
): Promise<Serving & { readonly probe: Address }> {
  const service = await serveApp(t, app, { args: ["--probe", "127.0.0.1:0", ...args], env });
  const { probe } = await service.program.ready();
  return { ...service, probe: { host: "127.0.0.1", port: portOf(String(probe)) } };
}

/** Connects again and again, one at a time, until a connect is answered like this. */
async function until(outcome: string, probe: Address): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  for (;;) {
    if ((await knockPort(probe)) === outcome) return;
    assert.ok(performance.now() < endMs, `no connect ended with ${outcome}`);
  }
}

describe("the probe port", () => {
  it("is refused before the program is ready, and accepted from then on", async (t) => {
    const dir = await tempDir(t);
    const [ops, probe] = [await freePort(), { host: "127.0.0.1", port: await freePort() }];
    const program = startProgram(t, {
      args: [
        fixture("slow-start.mjs"),
        ...["--listen", join(dir, "app.sock"), "--workers", "1"],
        ...["--ops", `127.0.0.1:${ops}`, "--probe", `127.0.0.1:${probe.port}`],
      ],
      env: { START_MS: "1000" },
    });
    const seen = new Set<string>();
    let isReady = false;
    const ready = program.ready().finally(() => (isReady = true));
    while (!isReady) {
      const outcome = await knockPort(probe);
      const { status } = await request({ port: ops, path: "/readyz" }).catch(() => ({ status: 0 }));
      // Open means ready; the other way round it may have become so between the two.
      seen.add(outcome === "connected" && status !== 200 ? `open at ${status}` : outcome);
    }
    assert.equal((await ready)["probe"], `127.0.0.1:${probe.port}`);
    assert.equal(await knockPort(probe), "connected");
    assert.deepEqual(
      [...seen].filter((outcome) => outcome !== "connected"),
      ["ECONNREFUSED"],
    );
  });

  it("is refused within 200 ms of SIGTERM, while the drain still accepts", async (t) => {
    const args = ["--drain-delay", "2s"];
    const { program, probe, request: ask } = await serveWithProbe(t, "hello.mjs", { args });
    assert.equal(await knockPort(probe), "connected");
    const startMs = performance.now();
    program.signal("SIGTERM");
    await until("ECONNREFUSED", probe);
    const tookMs = performance.now() - startMs;
    assert.equal((await ask({ path: "/" })).status, 200);
    assert.ok(tookMs < CLOSED_WITHIN_MS, `${tookMs} ms`);
    assert.deepEqual(await program.exit(), STOPPED);
  });

  it("is refused while too few workers are ready, and opens again", async (t) => {
    const args = ["--workers", "2", "--min-ready", "2"];
    const { program, probe } = await serveWithProbe(t, "slow-start.mjs", { args });
    const [pid] = program.workerPids();
    assert.ok(pid !== undefined);
    const startMs = performance.now();
    process.kill(pid, "SIGKILL");
    await until("ECONNREFUSED", probe);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < CLOSED_WITHIN_MS, `${tookMs} ms`);
    await until("connected", probe);
    await eventually(DEADLINE_MS, () => messages(program)[2], "the line of the second opening");
    assert.deepEqual(messages(program), [
      "probe port open",
      "probe port closed",
      "probe port open",
    ]);
  });

  it("follows the app's own health check", async (t) => {
    const file = join(await tempDir(t), "unhealthy");
    const env = { HEALTH_FILE: file };
    const service = await serveWithProbe(t, "lifecycle.mjs", { env });
    await writeFile(file, "");
    await until("ECONNREFUSED", service.probe);
    assert.equal((await service.ops("/readyz/app")).status, 503);
  });

  it("is refused when a socket file is lost", async (t) => {
    const { program, probe, socketPath } = await serveWithProbe(t, "hello.mjs");
    const other = createServer().listen(`${socketPath}.other`);
    onEnd(t, () => other.close());
    await once(other, "listening");
    await rename(`${socketPath}.other`, socketPath);
    await program.line("socket file lost");
    assert.equal(await knockPort(probe), "ECONNREFUSED");
  });

  it("goes with the ops endpoint to the program that takes over", async (t) => {
    const dir = await tempDir(t);
    const [ops, port] = [await freePort(), await freePort()];
    const args = [
      fixture("hello.mjs"),
      ...["--listen", join(dir, "app.sock"), "--workers", "1", "--takeover"],
      ...["--ops", `127.0.0.1:${ops}`, "--probe", `127.0.0.1:${port}`],
    ];
    const before = startProgram(t, { args });
    await before.ready();
    const after = startProgram(t, { args });
    assert.equal((await after.ready())["probe"], `127.0.0.1:${port}`);
    assert.deepEqual(await before.exit(), STOPPED);
    assert.equal(await knockPort({ host: "127.0.0.1", port }), "connected");
    assert.deepEqual(messages(after), ["probe port open"]);
  });

  it("refuses to start when the port is taken, and touches nothing", async (t) => {
    const dir = await tempDir(t);
    const holder = createServer().listen(0, "127.0.0.1");
    onEnd(t, () => holder.close());
    await once(holder, "listening");
    const address = holder.address();
    assert.ok(typeof address === "object" && address !== null);
    const program = startProgram(t, {
      args: [
        fixture("hello.mjs"),
        ...["--listen", join(dir, "app.sock"), "--ops", "127.0.0.1:0", "--workers", "1"],
        ...["--probe", `127.0.0.1:${address.port}`],
      ],
    });
    assert.deepEqual(await program.exit(), { code: 3, signal: null });
    assert.match(
      program.stderr,
      /Cannot listen on probe port 127\.0\.0\.1:\d+: address already in/,
    );
    assert.equal(
      program.lines.some(({ msg }) => msg === "worker ready"),
      false,
    );
  });
});

function messages(program: Program): string[] {
  return program.lines.flatMap(({ msg }) => (msg?.startsWith("probe port") ? msg : []));
}

describe("load balancers at the probe port", () => {
  it("that stay silent are told nothing and let go after 5 s", async (t) => {
    const service = await serveWithProbe(t, "hello.mjs", { args: ["--log-level", "debug"] });
    const before = await stateOf(service);
    const startMs = performance.now();
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => RawClient.open(t, service.probe)),
    );
    // Bytes that trickle in buy no time.
    for (const client of clients.slice(50)) client.send("PROXY ");
    const texts = await Promise.all(clients.map((client) => client.ended()));
    const tookMs = performance.now() - startMs;
    assert.deepEqual(new Set(texts), new Set([""]));
    assert.ok(tookMs >= PATIENCE_MS - 100, `${tookMs} ms`);
    // Ours have not hung up: the program let go by itself.
    await assertUntouched(service, before);
  });
});

interface State {
  readonly descriptors: number;
  readonly lines: number;
}

async function stateOf({ program }: Serving): Promise<State> {
  const { length } = await openDescriptors(program.pid);
  return { descriptors: length, lines: program.lines.length };
}

/** Fails unless the program has as many descriptors as before, and said nothing above debug. */
async function assertUntouched({ program }: Serving, before: State): Promise<void> {
  await eventually(
    DEADLINE_MS,
    async () => (await openDescriptors(program.pid)).length <= before.descriptors || undefined,
    `${before.descriptors} descriptors`,
  );
  const loud = program.lines.slice(before.lines).filter(({ level = 0 }) => level >= INFO);
  assert.deepEqual(loud, []);
}
