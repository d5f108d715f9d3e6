import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { EndpointCounters } from "../../src/counters.ts";
import { CounterPage } from "../../src/supervisor/counter-page.ts";
import { tempDir } from "../helpers/temp-dir.ts";

describe("CounterPage", () => {
  it("is all zero before anything is written, and leaves no file behind", async (t) => {
    const dir = await tempDir(t);
    const page = CounterPage.open(["a"], dir);
    t.after(() => page?.close());
    assert.deepEqual(readdirSync(dir), []);
    assert.deepEqual(page?.read(), { a: new EndpointCounters().slots });
  });

  it("is not there where it cannot be made", () => {
    assert.equal(CounterPage.open(["a"], "/nowhere"), undefined);
  });
});
