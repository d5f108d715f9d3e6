import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { withTempDir } from "../../helpers/temp-dir.ts";
import { noteFile, noteReady, readyWorkers, unfinishedByAny, unfinishedIn } from "./notes.ts";

const NO_PROCESS = 2 ** 30;

describe("unfinishedIn", () => {
  it("returns what was begun and not ended", () => {
    assert.deepEqual([...unfinishedIn("+1\n+2\n-1\n+3\n")], ["2", "3"]);
  });
});

describe("unfinishedByAny", () => {
  it("gathers the notes of all workers", async () => {
    await withTempDir(async (dir) => {
      writeFileSync(noteFile(dir, 1), "+a\n");
      writeFileSync(noteFile(dir, 2), "+b\n-b\n+c\n");
      assert.deepEqual([...unfinishedByAny(dir)].toSorted(), ["a", "c"]);
    });
  });
});

describe("readyWorkers", () => {
  it("leaves out those that are gone", async () => {
    await withTempDir(async (dir) => {
      noteReady(dir, process.pid);
      noteReady(dir, NO_PROCESS);
      assert.deepEqual(readyWorkers(dir), [process.pid]);
    });
  });
});
