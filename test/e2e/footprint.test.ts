import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serveCode } from "../helpers/app-file.ts";

/** An app that says which modules of Node are in its process. */
const LOADED = "module.exports = (req, res) => res.end(JSON.stringify(process.moduleLoadList));\n";

describe("a worker", () => {
  it("has not loaded Node's HTTP client for an app that does not use it", async (t) => {
    const { request } = await serveCode(t, LOADED, { file: "app.cjs" });
    const loaded = (await request({})).text();
    assert.match(loaded, /NativeModule http\b/);
    assert.doesNotMatch(loaded, /undici/);
  });
});
