import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, readFile, rename, symlink } from "node:fs/promises";
import net, { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseGreeting } from "../../src/listener/greeting.ts";
import { readKernelAccounts } from "../../src/listener/kernel-accounts.ts";
import { acquireLock, type Lock, type LockHolder } from "../../src/listener/lock.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { startGroup } from "../helpers/process-group.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const LOCK_MODULE = new URL("../../src/listener/lock.ts", import.meta.url).href;
const DEADLINE_MS = 10_000;

/** Takes a lock that must be free; it is released when the test ends. */
async function lock(scope: Scope, path: string): Promise<Lock> {
  const taken = await acquireLock(path);
  if (!("release" in taken)) return assert.fail(`${path} is locked by ${taken.pid}`);
  onEnd(scope, () => taken.release());
  return taken;
}

/** Tries to take a lock that must be held. */
async function holderOf(path: string): Promise<LockHolder> {
  const holder = await acquireLock(path);
  if ("release" in holder) return assert.fail(`${path} is not locked`);
  return holder;
}

/** Another process that holds the lock of a path; `afterwards` runs in it once it does. */
async function startHolder(
  scope: Scope,
  path: string,
  afterwards = "setInterval(() => {}, 1e6)",
): Promise<{ readonly pid: number; kill(): Promise<void> }> {
  const code = `
    const { acquireLock } = await import(${JSON.stringify(LOCK_MODULE)});
    await acquireLock(${JSON.stringify(path)});
    (await import("node:fs")).writeSync(1, "locked");
    ${afterwards}`;
  const group = startGroup(scope, process.execPath, {
    args: ["--input-type=module", "-e", code],
  });
  await within(DEADLINE_MS, once(group.stdout, "data"), "the other process to take the lock");
  return {
    pid: group.pid,
    async kill() {
      group.signal("SIGKILL");
      await within(DEADLINE_MS, group.closed, "the other process to die");
    },
  };
}

/** The abstract name of a path's lock, as the kernel shows it while somebody holds it. */
async function nameOf(path: string): Promise<string> {
  const before = await lockNames();
  const taken = await acquireLock(path);
  if (!("release" in taken)) return assert.fail(`${path} is locked by ${taken.pid}`);
  const [name] = (await lockNames()).filter((other) => !before.includes(other));
  taken.release();
  return `\0${name ?? assert.fail("no lock to be seen")}`;
}

async function lockNames(): Promise<readonly string[]> {
  const table = await readFile("/proc/net/unix", "latin1");
  return [...table.matchAll(/@(outrigger:\S+)/g)].map(([, name = ""]) => name);
}

/** Has the name of a path's lock without being an Outrigger. */
async function squat(scope: Scope, path: string, answer: (socket: Socket) => void): Promise<void> {
  const name = await nameOf(path);
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on("error", () => {}).resume());
    answer(socket);
  });
  onEnd(scope, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await within(DEADLINE_MS, once(server.listen({ path: name }), "listening"), "the squatter");
}

/** Connects as a stranger, who does not hang up. */
async function knock(scope: Scope, name: string): Promise<Socket> {
  const socket = connect({ path: name, allowHalfOpen: true }).on("error", () => {});
  onEnd(scope, () => socket.destroy());
  await within(DEADLINE_MS, once(socket, "connect"), "the lock to be there");
  return socket;
}

/** True when a lock has this many connections open; undefined otherwise. */
async function hasAccepted(name: string, count: number): Promise<true | undefined> {
  const shown = name.replace("\0", "@");
  const account = (await readKernelAccounts([shown]))?.get(shown);
  return account?.accepted === count && account.queued === 0 ? true : undefined;
}

describe("acquireLock", () => {
  it("keeps out a second taker in the same process, and names the holder", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await lock(t, path);
    assert.deepEqual(await holderOf(path), { pid: process.pid });
  });

  it("makes no file", async (t) => {
    const dir = await tempDir(t);
    await lock(t, join(dir, "app.sock"));
    assert.deepEqual(await readdir(dir), []);
  });

  it("can be taken again once it is released", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    (await lock(t, path)).release();
    await lock(t, path);
  });

  it("may be released twice", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const taken = await lock(t, path);
    taken.release();
    taken.release();
  });

  it("is released although somebody asks for the holder at this moment", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const taken = await lock(t, path);
    const asking = acquireLock(path);
    taken.release();
    const asked = await asking;
    if ("release" in asked) asked.release();
    await lock(t, path);
  });

  it("tells the pid of the process that holds it", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const holder = await startHolder(t, path);
    assert.deepEqual(await holderOf(path), { pid: holder.pid });
  });

  it("is free as soon as its holder is killed", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const holder = await startHolder(t, path);
    await holder.kill();
    await lock(t, path);
  });

  it("is held by a process that is too busy to say its pid", { timeout: 20_000 }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await startHolder(t, path, "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)");
    assert.deepEqual(await within(5_000, holderOf(path), "the lock"), { pid: undefined });
  });

  it("tells no pid when a squatter sends for ever, and does not wait", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await squat(t, path, (socket) => {
      const timer = setInterval(() => socket.write("4"), 60);
      socket.on("close", () => clearInterval(timer));
    });
    assert.deepEqual(await within(2_000, holderOf(path), "the lock"), { pid: undefined });
  });

  for (const answer of ["47114711", "47 11", "4".repeat(100_000), "-1", ""]) {
    it(`takes no pid that cannot be one: ${answer.length} characters "${answer.slice(0, 8)}"`, async (t) => {
      const path = join(await tempDir(t), "app.sock");
      await squat(t, path, (socket) => socket.end(answer));
      assert.deepEqual(await within(2_000, holderOf(path), "the lock"), { pid: undefined });
    });
  }

  it("is released although strangers hold connections to it", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const name = await nameOf(path);
    const taken = await lock(t, path);
    const sockets = await Promise.all([1, 2, 3].map(() => knock(t, name)));
    sockets[1]?.end();
    sockets[2]?.write("x".repeat(1_000));
    taken.release();
    await lock(t, path);
  });

  it("hangs up at once on whoever says what it does not know", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const name = await nameOf(path);
    await lock(t, path);
    for (const text of ["hello\n", "takeover\n", "takeover 1; rm\n", "x".repeat(300)]) {
      const stranger = await knock(t, name);
      const closed = once(stranger.resume(), "end");
      stranger.write(text);
      await within(2_000, closed, `an end after ${text}`);
    }
  });

  it("cuts within five seconds whoever stays connected", { timeout: 20_000 }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const name = await nameOf(path);
    await lock(t, path);
    const stayers = await Promise.all([1, 2].map(() => knock(t, name)));
    const writing = setInterval(() => stayers[1]?.write("x"), 100);
    onEnd(t, () => clearInterval(writing));
    await eventually(DEADLINE_MS, () => hasAccepted(name, 2), "the holder to accept");
    await eventually(7_000, () => hasAccepted(name, 0), "the holder to hang up");
  });

  it("lets 16 strangers in at once, and names its holder again once they are gone", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const name = await nameOf(path);
    await lock(t, path);
    const sockets = await Promise.all(Array.from({ length: 40 }, () => knock(t, name)));
    const answers = sockets.map(async (socket) => {
      await once(socket, "readable");
      return String(socket.read() ?? "");
    });
    const pids = (await within(3_000, Promise.all(answers), "the holder"))
      .filter(Boolean)
      .map((line) => parseGreeting(line.trim())?.pid);
    assert.deepEqual(
      pids,
      Array.from({ length: 16 }, () => process.pid),
    );
    for (const socket of sockets) socket.destroy();
    const isFree = async (): Promise<true | undefined> =>
      (await holderOf(path)).pid === process.pid ? true : undefined;
    await eventually(DEADLINE_MS, isFree, "the holder to answer again");
  });

  it("survives an error of its server", async (t) => {
    const { mock } = t.mock.method(net, "createServer");
    await lock(t, join(await tempDir(t), "app.sock"));
    const server = mock.calls[0]?.result;
    assert.ok(server);
    server.emit("error", new Error("accept EMFILE"));
    server.emit("error", new Error("accept EMFILE"));
  });

  it("is one for one directory, by whatever path", async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, "real"));
    await symlink("real", join(dir, "alias"));
    await lock(t, join(dir, "real", "app.sock"));
    assert.deepEqual(await holderOf(join(dir, "alias", "app.sock")), { pid: process.pid });
    await rename(join(dir, "real"), join(dir, "moved"));
    assert.deepEqual(await holderOf(join(dir, "moved", "app.sock")), { pid: process.pid });
  });

  it("is another for another name and for another directory", async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, "one"));
    await mkdir(join(dir, "two"));
    await lock(t, join(dir, "one", "app.sock"));
    await lock(t, join(dir, "one", "web.sock"));
    await lock(t, join(dir, "two", "app.sock"));
  });

  it("does not keep the process alive", { timeout: 20_000 }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const { closed } = startGroup(t, process.execPath, {
      args: [
        "--input-type=module",
        "-e",
        `await (await import(${JSON.stringify(LOCK_MODULE)})).acquireLock(${JSON.stringify(path)})`,
      ],
    });
    assert.deepEqual(await within(DEADLINE_MS, closed, "the holder to exit"), {
      code: 0,
      signal: null,
    });
  });
});
