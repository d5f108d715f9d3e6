import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { link, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkDirectory, inspectPath } from "../../src/listener/inspect-path.ts";
import { choosePrivatePath } from "../../src/listener/private-names.ts";
import { describeDir } from "../helpers/dir-snapshot.ts";
import { needsPerl } from "../helpers/needs.ts";
import {
  leaveStaleSocket,
  listenForeign,
  startDatagramOwner,
  startFullQueue,
} from "../helpers/other-owners.ts";
import type { Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** What makes a path impossible to take, and what is said about it. */
const OBSTACLES: Readonly<
  Record<string, { readonly make: (scope: Scope, path: string) => Promise<unknown>; readonly says: RegExp }>
> = {
  "a regular file": { make: (_, path) => writeFile(path, "precious"), says: /a regular file is there, not a socket; move it away/ },
  "an empty file": { make: (_, path) => writeFile(path, ""), says: /a regular file is there/ },
  "a FIFO": { make: async (_, path) => spawnSync("mkfifo", [path]), says: /a FIFO is there/ },
  "a directory": { make: (_, path) => mkdir(path), says: /a directory is there/ },
  "a link to a file": { make: (_, path) => linkToFile(path), says: /a symbolic link is there/ },
  "a link to a live socket": { make: linkToSocket, says: /a symbolic link is there/ },
  "a dangling link": { make: (_, path) => symlink("nowhere", path), says: /a symbolic link is there/ },
  "a live listener": { make: listenForeign, says: /its socket belongs to a live process that accepts connections; stop that one first/ },
  "a live listener with a full queue": { make: startFullQueue, says: /belongs to a live process whose accept queue is full/ },
}; // prettier-ignore

async function linkToFile(path: string): Promise<void> {
  await writeFile(`${path}.target`, "precious");
  await symlink(`${path}.target`, path);
}

async function linkToSocket(scope: Scope, path: string): Promise<void> {
  await listenForeign(scope, `${path}.target`);
  await symlink(`${path}.target`, path);
}

describe("inspectPath", () => {
  for (const [what, { make, says }] of Object.entries(OBSTACLES)) {
    it(`refuses ${what} and leaves it alone`, { timeout: 30_000 }, async (t) => {
      const dir = await tempDir(t);
      const path = join(dir, "app.sock");
      await make(t, path);
      const before = await describeDir(dir);
      await assert.rejects(inspectPath(path), (error: Error) => {
        assert.ok(error.message.startsWith(`Cannot listen on ${path}: `), error.message);
        assert.match(error.message, says);
        return "code" in error && error.code === "ERR_LISTEN";
      });
      assert.deepEqual(await describeDir(dir), before);
    });
  }

  it("refuses a datagram socket in use", { timeout: 30_000, ...needsPerl() }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await startDatagramOwner(t, path);
    await assert.rejects(
      inspectPath(path),
      /belongs to a process that uses it as a datagram socket/,
    );
  });

  it("finds a path free where nothing is", async (t) => {
    assert.equal(await inspectPath(join(await tempDir(t), "app.sock")), "free");
  });

  it("finds a dead socket stale and does not remove it yet", async (t) => {
    const dir = await tempDir(t);
    await leaveStaleSocket(t, join(dir, "app.sock"));
    assert.equal(await inspectPath(join(dir, "app.sock")), "stale");
    assert.deepEqual(await readdir(dir), ["app.sock"]);
  });

  it("finds a socket stale that has a private name, although left-over workers answer", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    const twin = choosePrivatePath(path);
    await listenForeign(t, twin);
    await link(twin, path);
    assert.equal(await inspectPath(path), "stale");
  });

  it("is not misled by the private name of another socket", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await listenForeign(t, choosePrivatePath(path));
    await listenForeign(t, path);
    await assert.rejects(inspectPath(path), /belongs to a live process/);
  });
});

describe("checkDirectory", () => {
  it("accepts a directory, also through a link", async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, "real"));
    await symlink("real", join(dir, "alias"));
    await checkDirectory(join(dir, "real", "app.sock"));
    await checkDirectory(join(dir, "alias", "app.sock"));
  });

  it("says that a directory is missing", async (t) => {
    const dir = await tempDir(t);
    await assert.rejects(
      checkDirectory(join(dir, "no", "app.sock")),
      new RegExp(`directory ${dir}/no does not exist; create it, or mount a volume there$`),
    );
  });

  it("says that a directory is a file", async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, "file"), "");
    await assert.rejects(
      checkDirectory(join(dir, "file", "app.sock")),
      new RegExp(`${dir}/file is not a directory`),
    );
  });
});
