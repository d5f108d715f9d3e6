import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { link, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import { bindPath } from "../../src/listener/bind.ts";
import { sweepPrivateNames } from "../../src/listener/private-files.ts";
import { choosePrivatePath, isPrivateNameOf } from "../../src/listener/private-names.ts";
import { leaveStaleSocket } from "../helpers/other-owners.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** Leaves a dead socket that an Outrigger published: it has a private name beside the public one. */
async function leaveTwins(scope: Scope, path: string): Promise<string> {
  const twin = choosePrivatePath(path);
  await leaveStaleSocket(scope, twin);
  await link(twin, path);
  return basename(twin);
}

describe("sweepPrivateNames", () => {
  it("removes the private names a killed Outrigger left", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    await leaveStaleSocket(t, choosePrivatePath(path));
    await sweepPrivateNames(path);
    assert.deepEqual(await readdir(dir), []);
  });

  it("removes both names of a socket that was killed while it was published", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    await leaveTwins(t, path);
    await rename(path, choosePrivatePath(path));
    await sweepPrivateNames(path);
    assert.deepEqual(await readdir(dir), []);
  });

  it("keeps the private name of the socket that is published", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const twin = await leaveTwins(t, path);
    await sweepPrivateNames(path);
    assert.deepEqual((await readdir(dir)).toSorted(), [twin, "app.sock"].toSorted());
  });

  it("keeps one that is bound still, though nobody listens: it may be of a public name with the same hash", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const bound = choosePrivatePath(path);
    const socket = bindPath(bound);
    onEnd(t, () => socket.close());
    await sweepPrivateNames(path);
    assert.deepEqual(await readdir(dir), [basename(bound)]);
  });

  it("keeps both names of a bound socket that is being published", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const [bound, staging] = [`${privatePrefix(path)}00`, `${privatePrefix(path)}01`];
    const socket = bindPath(bound);
    onEnd(t, () => socket.close());
    await link(bound, staging);
    await sweepPrivateNames(path);
    assert.deepEqual(
      (await readdir(dir)).toSorted(),
      [basename(bound), basename(staging)].toSorted(),
    );
  });

  it("keeps the one it is told to keep", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const own = choosePrivatePath(path);
    await leaveStaleSocket(t, own);
    await sweepPrivateNames(path, own);
    assert.deepEqual(await readdir(dir), [basename(own)]);
  });

  it("touches nothing that is not a socket, whatever its name", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const file = choosePrivatePath(path);
    await writeFile(file, "precious");
    await sweepPrivateNames(path);
    assert.deepEqual(await readdir(dir), [basename(file)]);
  });

  it("leaves the private names of other public names alone", async (t) => {
    const dir = await tempDir(t);
    const other = await leaveTwins(t, join(dir, "other.sock"));
    await sweepPrivateNames(join(dir, "app.sock"));
    assert.deepEqual((await readdir(dir)).toSorted(), [other, "other.sock"].toSorted());
  });

  it("leaves a published socket alone whose name only looks like one of ours", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const lookalike = join(dir, findLookalike(path));
    const twin = await leaveTwins(t, lookalike);
    await sweepPrivateNames(path);
    assert.deepEqual((await readdir(dir)).toSorted(), [twin, basename(lookalike)].toSorted());
  });

  it("needs no public name", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    await leaveTwins(t, path);
    await rm(path);
    await sweepPrivateNames(path);
    assert.deepEqual(await readdir(dir), []);
  });
});

/** A private name without its random end. */
function privatePrefix(path: string): string {
  return choosePrivatePath(path).slice(0, -2);
}

/** A public name whose private names cannot be told from those of `path`. */
function findLookalike(path: string): string {
  for (let count = 0; count < 1_000_000; count += 1) {
    const name = `${createHash("sha1").update(String(count)).digest("hex").slice(0, 8)}.sock`;
    const itsPrivateName = basename(choosePrivatePath(join(dirname(path), name)));
    if (isPrivateNameOf(path, itsPrivateName)) return name;
  }
  return assert.fail("no two names share a hash");
}
