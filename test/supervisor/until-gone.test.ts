import assert from "node:assert/strict";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { untilGone } from "../../src/supervisor/until-gone.ts";
import { within } from "../helpers/deadline.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 5_000;
const never = new AbortController().signal;

describe("untilGone", () => {
  it("resolves at once when there is no file", async (t) => {
    const path = join(await tempDir(t), "missing");
    assert.equal(await within(DEADLINE_MS, untilGone(path, never), "nothing"), true);
  });

  it("resolves soon after the file goes", async (t) => {
    const path = join(await tempDir(t), "pid");
    await writeFile(path, "1");
    const gone = untilGone(path, never);
    await rm(path);
    assert.equal(await within(DEADLINE_MS, gone, "the file to go"), true);
  });

  it("does not take a file for gone that was replaced", async (t) => {
    const path = join(await tempDir(t), "pid");
    await writeFile(path, "1");
    const gone = untilGone(path, AbortSignal.timeout(300));
    await writeFile(path, "2");
    assert.equal(await within(DEADLINE_MS, gone, "the signal"), false);
  });

  it("gives up when the signal aborts, and when it had aborted before", async (t) => {
    const path = join(await tempDir(t), "pid");
    await writeFile(path, "1");
    const given = new AbortController();
    const gone = untilGone(path, given.signal);
    given.abort();
    assert.equal(await gone, false);
    assert.equal(await untilGone(path, AbortSignal.abort()), false);
  });

  it("takes a missing folder and a dangling link for gone", async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, "gone"));
    await rm(join(dir, "gone"), { recursive: true });
    assert.equal(await untilGone(join(dir, "gone", "pid"), AbortSignal.timeout(DEADLINE_MS)), true);
    await symlink(join(dir, "nowhere"), join(dir, "link"));
    assert.equal(typeof (await untilGone(join(dir, "link"), AbortSignal.timeout(300))), "boolean");
  });
});
