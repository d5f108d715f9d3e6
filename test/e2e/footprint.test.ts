import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serveCode } from "../helpers/app-file.ts";

/** An app that says which modules of Node are in its process. */
const LOADED = "module.exports = (req, res) => res.end(JSON.stringify(process.moduleLoadList));\n";

describe("a worker", () => {
  it("has loaded neither Node's HTTP client nor its HTTP/2 before somebody uses them", async (t) => {
    const { request } = await serveCode(t, LOADED, { file: "app.cjs" });
    const loaded = (await request({})).text();
    assert.match(loaded, /NativeModule http\b/);
    assert.doesNotMatch(loaded, /undici|http2/);
  });
});
