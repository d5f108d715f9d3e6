import assert from "node:assert/strict";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { NOTHING_FOUND } from "../../src/listener/listener.ts";
import type { UnixEndpoint } from "../../src/config/config.ts";
import { choosePrivatePath, isPrivateNameOf } from "../../src/listener/private-names.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { describeFile } from "../helpers/dir-snapshot.ts";
import { unixEndpoint } from "../helpers/endpoints.ts";
import { needsRoot } from "../helpers/needs.ts";
import { leaveStaleSocket, listenForeign } from "../helpers/other-owners.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { serve, talkTo, testListener } from "./listener-suite.ts";

const SOME_GROUP = 4_711;
const RANDOM_NAMES = 36 ** 2;

async function claim(
  scope: Scope,
  path: string,
  overrides: Partial<UnixEndpoint> = {},
): Promise<UnixListener> {
  const listener = await UnixListener.claim(unixEndpoint(path, overrides));
  onEnd(scope, () => listener.close());
  return listener;
}

/** A published socket in a directory of its own. */
async function publishAt(
  scope: Scope,
  name = "app.sock",
): Promise<{ readonly dir: string; readonly path: string; readonly listener: UnixListener }> {
  const dir = await tempDir(scope);
  const path = join(dir, name);
  const listener = await claim(scope, path);
  await listener.publish();
  return { dir, path, listener };
}

function permissionsOf(stats: { readonly mode: number }): string {
  return (stats.mode & 0o7777).toString(8);
}

async function withUmask<T>(mask: number, use: () => Promise<T>): Promise<T> {
  const before = process.umask(mask);
  try {
    return await use();
  } finally {
    process.umask(before);
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  return (await lstat(one)).ino === (await lstat(other)).ino;
}

/** Takes half of all private names of a path with files of somebody else, and returns them with their content. */
async function takeHalfOfPrivateNames(path: string): Promise<readonly string[]> {
  const taken = new Set<string>();
  while (taken.size < RANDOM_NAMES / 2) taken.add(choosePrivatePath(path));
  for (const file of taken) await writeFile(file, "precious");
  return [...taken].map((file) => basename(file)).toSorted();
}

describe("UnixListener", () => {
  testListener(async (scope) => {
    const path = join(await tempDir(scope), "app.sock");
    return { address: path, claim: () => claim(scope, path) };
  });
});

describe("UnixListener.claim", () => {
  it("makes nothing but a private name", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const listener = await claim(t, path);
    const names = await readdir(dir);
    assert.equal(names.length, 1);
    assert.ok(isPrivateNameOf(path, names[0] ?? ""));
    assert.deepEqual(listener.connectTarget, { path: join(dir, names[0] ?? "") });
    assert.equal(listener.kernelName, join(dir, names[0] ?? ""));
    assert.equal(listener.address, path);
  });

  it("tells a second claim the pid of the first", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await claim(t, path);
    await assert.rejects(
      claim(t, path),
      new RegExp(
        `Cannot listen on ${path}: another process holds its lock \\(pid ${process.pid}, as it says\\); stop that outrigger first`,
      ),
    );
  });

  for (const umask of [0o000, 0o022, 0o077, 0o777]) {
    for (const mode of [0o660, 0o600, 0o666, 0o777]) {
      it(`gives mode ${mode.toString(8)} under umask ${umask.toString(8)}`, async (t) => {
        const path = join(await tempDir(t), "app.sock");
        const listener = await withUmask(umask, () => claim(t, path, { mode }));
        assert.equal(permissionsOf(await lstat(listener.kernelName)), mode.toString(8));
        await listener.publish();
        assert.equal(permissionsOf(await lstat(path)), mode.toString(8));
      });
    }
  }

  it("gives a group by number and an owner by number", needsRoot(), async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const listener = await claim(t, path, { group: String(SOME_GROUP), owner: "4712" });
    const { gid, uid, mode } = await lstat(listener.kernelName);
    assert.deepEqual([gid, uid, permissionsOf({ mode })], [SOME_GROUP, 4_712, "660"]);
  });

  it("gives a group and an owner by name", needsRoot(), async (t) => {
    const [group = "", , gid] =
      (await readFile("/etc/group", "utf8")).trim().split("\n").at(-1)?.split(":") ?? [];
    const path = join(await tempDir(t), "app.sock");
    const listener = await claim(t, path, { group, owner: "nobody" });
    const stats = await lstat(listener.kernelName);
    assert.equal(stats.gid, Number(gid));
    assert.notEqual(stats.uid, 0);
  });

  it("takes the group of a directory that hands it on, as fsGroup does", needsRoot(), async (t) => {
    const dir = await tempDir(t);
    await chown(dir, 0, SOME_GROUP);
    await chmod(dir, 0o2777);
    const listener = await claim(t, join(dir, "app.sock"));
    const { gid, mode } = await lstat(listener.kernelName);
    assert.deepEqual([gid, permissionsOf({ mode })], [SOME_GROUP, "660"]);
  });

  it("refuses a group nobody knows and leaves nothing behind", async (t) => {
    const dir = await tempDir(t);
    await assert.rejects(
      claim(t, join(dir, "app.sock"), { group: "no-such-group" }),
      /Cannot find group "no-such-group"/,
    );
    assert.deepEqual(await readdir(dir), []);
    await claim(t, join(dir, "app.sock"));
  });

  it("removes the private names a killed predecessor left, and none of another socket", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    await leaveStaleSocket(t, choosePrivatePath(path));
    const other = choosePrivatePath(join(dir, "other.sock"));
    await leaveStaleSocket(t, other);
    const listener = await claim(t, path);
    assert.deepEqual(
      (await readdir(dir)).toSorted(),
      [basename(other), basename(listener.kernelName)].toSorted(),
    );
  });

  it("finds a private name among files of somebody else, and touches none of them", async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const dir = await tempDir(t);
      const path = join(dir, "app.sock");
      const files = await takeHalfOfPrivateNames(path);
      const listener = await claim(t, path);
      await listener.publish();
      await listener.close();
      assert.deepEqual((await readdir(dir)).toSorted(), files);
      for (const file of files) assert.equal(await readFile(join(dir, file), "utf8"), "precious");
    }
  });

  it("gives the lock back when it fails", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await writeFile(path, "");
    await assert.rejects(claim(t, path), /regular file/);
    await rm(path);
    await claim(t, path);
  });
});

describe("UnixListener.publish", () => {
  it("gives the very same socket its public name", async (t) => {
    const { path, listener } = await publishAt(t);
    await serve(t, listener);
    assert.ok(await isSameFile(path, listener.kernelName));
    assert.equal(await talkTo(listener, { path }), "hello");
  });

  it("replaces a stale socket and says so", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    await leaveStaleSocket(t, path);
    const listener = await claim(t, path);
    assert.deepEqual(await listener.publish(), { replacedStale: true });
    await serve(t, listener);
    assert.equal(await talkTo(listener, { path }), "hello");
    assert.deepEqual(
      (await readdir(dir)).toSorted(),
      [basename(listener.kernelName), "app.sock"].toSorted(),
    );
  });

  it("replaces the socket of a killed Outrigger with both its names", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const twin = choosePrivatePath(path);
    await leaveStaleSocket(t, twin);
    await link(twin, path);
    const listener = await claim(t, path);
    assert.deepEqual(await listener.publish(), { replacedStale: true });
    assert.deepEqual(
      (await readdir(dir)).toSorted(),
      [basename(listener.kernelName), "app.sock"].toSorted(),
    );
  });

  for (const [what, put] of Object.entries({
    "a file": (_: Scope, path: string) => writeFile(path, "precious"),
    "a directory": (_: Scope, path: string) => mkdir(path),
    "a live socket": (scope: Scope, path: string) => listenForeign(scope, path),
  })) {
    it(`leaves ${what} alone that came between claim and publication`, async (t) => {
      const dir = await tempDir(t);
      const path = join(dir, "app.sock");
      const listener = await claim(t, path);
      await put(t, path);
      const before = await describeFile(path);
      await assert.rejects(listener.publish(), { code: "ERR_LISTEN" });
      await listener.close();
      assert.equal(await describeFile(path), before);
      assert.deepEqual(await readdir(dir), ["app.sock"]);
    });
  }

  it("fails in a sentence when its private name is gone", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const listener = await claim(t, path);
    await rm(listener.kernelName);
    await assert.rejects(
      listener.publish(),
      /Cannot listen on .*app\.sock: cannot put the socket in its place \(ENOENT\)/,
    );
  });
});

describe("UnixListener.guard", () => {
  it("finds nothing before the first publication and after the withdrawal", async (t) => {
    const dir = await tempDir(t);
    const listener = await claim(t, join(dir, "app.sock"));
    assert.deepEqual(await listener.guard(), NOTHING_FOUND);
    await listener.publish();
    await listener.withdraw();
    assert.deepEqual(await listener.guard(), NOTHING_FOUND);
    assert.deepEqual(await readdir(dir), [basename(listener.kernelName)]);
  });

  it("puts a deleted name back, to the same socket", async (t) => {
    const { path, listener } = await publishAt(t);
    await rm(path);
    assert.deepEqual(await listener.guard(), { ...NOTHING_FOUND, isLost: true, isRestored: true });
    assert.equal(listener.problem, undefined);
    assert.ok(await isSameFile(path, listener.kernelName));
  });

  it("leaves a file alone that took the name, and says so until it goes", async (t) => {
    const { path, listener } = await publishAt(t);
    await rm(path);
    await writeFile(path, "precious");
    assert.deepEqual(await listener.guard(), { ...NOTHING_FOUND, isLost: true });
    assert.equal(listener.problem, "the socket file was replaced by another file");
    assert.deepEqual(await listener.guard(), NOTHING_FOUND);
    assert.equal(await readFile(path, "utf8"), "precious");
    await rm(path);
    assert.deepEqual(await listener.guard(), { ...NOTHING_FOUND, isRestored: true });
    assert.equal(listener.problem, undefined);
    assert.ok(await isSameFile(path, listener.kernelName));
  });

  it("recovers when the name comes back by itself", async (t) => {
    const { dir, path, listener } = await publishAt(t);
    await rename(path, join(dir, "aside"));
    await writeFile(path, "");
    await listener.guard();
    await rename(join(dir, "aside"), path);
    assert.deepEqual(await listener.guard(), { ...NOTHING_FOUND, isRestored: true });
  });

  it("says what is wrong when the whole directory is gone", async (t) => {
    const dir = join(await tempDir(t), "run");
    await mkdir(dir);
    const listener = await claim(t, join(dir, "app.sock"));
    await listener.publish();
    await rm(dir, { recursive: true });
    assert.deepEqual(await listener.guard(), { ...NOTHING_FOUND, isLost: true });
    assert.equal(listener.problem, "the socket file was removed together with our own name for it");
    await mkdir(dir);
    assert.deepEqual(await listener.guard(), { ...NOTHING_FOUND, isBeyondRepair: true });
  });

  it("never puts back what a withdrawal takes away", async (t) => {
    for (let round = 0; round < 20; round += 1) {
      const { dir, path, listener } = await publishAt(t);
      await rm(path);
      await Promise.all([listener.guard(), listener.withdraw(), listener.guard()]);
      assert.deepEqual(await readdir(dir), [basename(listener.kernelName)]);
    }
  });
});

describe("UnixListener.withdraw", () => {
  it("takes the public name away and keeps the private one", async (t) => {
    const { dir, listener } = await publishAt(t);
    await listener.withdraw();
    assert.deepEqual(await readdir(dir), [basename(listener.kernelName)]);
  });

  it("may be called before the publication and twice", async (t) => {
    const dir = await tempDir(t);
    const listener = await claim(t, join(dir, "app.sock"));
    await listener.withdraw();
    await listener.publish();
    await listener.withdraw();
    await listener.withdraw();
    assert.deepEqual(await readdir(dir), [basename(listener.kernelName)]);
  });
});

describe("UnixListener.close", () => {
  it("leaves an empty directory, listening or not", async (t) => {
    const { dir, listener } = await publishAt(t);
    const server = await serve(t, listener);
    await listener.close();
    assert.deepEqual(await readdir(dir), []);
    server.close();
    assert.deepEqual(await readdir(dir), []);
  });

  for (const [what, put] of Object.entries({
    "a regular file": (_: Scope, path: string) => writeFile(path, "precious"),
    "a directory": (_: Scope, path: string) => mkdir(path),
    "a live socket": (scope: Scope, path: string) => listenForeign(scope, path),
    "a dead socket": leaveStaleSocket,
  })) {
    it(`leaves ${what} alone that took its place`, async (t) => {
      const { dir, path, listener } = await publishAt(t);
      const server = await serve(t, listener);
      await rm(path);
      await put(t, path);
      const before = await describeFile(path);
      await listener.close();
      server.close();
      assert.equal(await describeFile(path), before);
      assert.deepEqual(await readdir(dir), ["app.sock"]);
    });
  }

  it("does well when the directory is gone", async (t) => {
    const { dir, listener } = await publishAt(t);
    await rm(dir, { recursive: true });
    await listener.close();
  });

  it(
    "closes the socket and frees the lock although the name cannot be taken away",
    needsRoot(),
    async (t) => {
      const { dir, path, listener } = await publishAt(t);
      process.seteuid?.(65_534);
      try {
        await assert.rejects(listener.close(), { code: "EACCES" });
      } finally {
        process.seteuid?.(0);
      }
      const successor = await claim(t, path);
      assert.deepEqual(await successor.publish(), { replacedStale: true });
      assert.ok((await readdir(dir)).includes("app.sock"));
    },
  );
});

describe("UnixListener.releaseSync", () => {
  it("leaves an empty directory", async (t) => {
    const { dir, listener } = await publishAt(t);
    listener.releaseSync();
    assert.deepEqual(await readdir(dir), []);
  });

  it("leaves alone what took its place", async (t) => {
    const { dir, path, listener } = await publishAt(t);
    await rm(path);
    await writeFile(path, "precious");
    listener.releaseSync();
    assert.deepEqual(await readdir(dir), ["app.sock"]);
  });

  it("does well before the publication, after the close and without a directory", async (t) => {
    const { dir, listener } = await publishAt(t);
    await listener.close();
    listener.releaseSync();
    const unpublished = await claim(t, join(dir, "app.sock"));
    unpublished.releaseSync();
    assert.deepEqual(await readdir(dir), []);
    await rm(dir, { recursive: true });
    unpublished.releaseSync();
  });
});
