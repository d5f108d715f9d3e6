import assert from "node:assert/strict";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { FileWatch } from "../../src/tls/watch-files.ts";
import { within } from "../helpers/deadline.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
/** Longer than any test: then only events are left. */
const NEVER_MS = 3_600_000;

interface Watching {
  readonly dir: string;
  readonly path: string;
  /** Resolves with the next change. */
  readonly change: () => Promise<void>;
  readonly changes: () => number;
}

async function watchFile(scope: Scope, pollIntervalMs: number): Promise<Watching> {
  const dir = await tempDir(scope);
  const folder = join(dir, "folder");
  await mkdir(folder);
  const path = join(folder, "file");
  await writeFile(path, "one");
  let changes = 0;
  let waiting = Promise.withResolvers<void>();
  const watch = new FileWatch({
    paths: [path],
    pollIntervalMs,
    onChange: async () => {
      changes += 1;
      waiting.resolve();
      waiting = Promise.withResolvers();
    },
  });
  onEnd(scope, () => watch.close());
  await watch.start();
  const change = (): Promise<void> => within(DEADLINE_MS, waiting.promise, "a change");
  return { dir: folder, path, change, changes: () => changes };
}

describe("FileWatch", () => {
  it("tells of a file that is written, and of one that is put in its place", async (t) => {
    const { dir, path, change } = await watchFile(t, NEVER_MS);
    const written = change();
    await writeFile(path, "two two");
    await written;
    const replaced = change();
    await writeFile(join(dir, "next"), "three");
    await rename(join(dir, "next"), path);
    await replaced;
  });

  it("follows a link that is swapped, twice", async (t) => {
    const { dir, path, change } = await watchFile(t, NEVER_MS);
    for (const version of ["a", "b"]) {
      const swapped = change();
      await mkdir(join(dir, version));
      await writeFile(join(dir, version, "file"), version);
      await symlink(join(version, "file"), join(dir, "link"));
      await rename(join(dir, "link"), path);
      await swapped;
    }
    const behind = change();
    await writeFile(join(dir, "b", "file"), "changed behind the link");
    await behind;
  });

  it("finds by looking what no event tells: a folder that is made anew", async (t) => {
    const { dir, path, change, changes } = await watchFile(t, 20);
    const gone = change();
    await rm(dir, { recursive: true });
    await gone;
    const back = change();
    await mkdir(dir);
    await writeFile(path, "two");
    await back;
    assert.ok(changes() >= 2);
  });

  it("tells nothing of other files in the folder", async (t) => {
    const { dir, path, change, changes } = await watchFile(t, NEVER_MS);
    await writeFile(join(dir, "other"), "x");
    const own = change();
    await writeFile(path, "two");
    await own;
    assert.equal(changes(), 1);
  });
});
