import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { acquireLock, type Lock, type LockHolder } from "../../src/listener/lock.ts";
import { within } from "../helpers/deadline.ts";
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
    await (await lock(t, path)).release();
    await lock(t, path);
  });

  it("may be released twice", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const taken = await lock(t, path);
    await taken.release();
    await taken.release();
  });

  it("is released although somebody asks for the holder at this moment", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const taken = await lock(t, path);
    const [, asked] = await Promise.all([taken.release(), acquireLock(path)]);
    if ("release" in asked) await asked.release();
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
