import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { createPageReader, describePage } from "../../src/ops/status-page.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const PAGE = '<style>a {}</style><script type="module">let b;</script>';

describe("describePage", () => {
  it("allows this very script and style, and nothing else", () => {
    const hash = (text: string): string =>
      `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    const policy = describePage(PAGE).headers["Content-Security-Policy"]?.split("; ");
    assert.deepEqual(policy?.slice(0, 3), [
      "default-src 'none'",
      `script-src ${hash("let b;")}`,
      `style-src ${hash("a {}")}`,
    ]);
    assert.doesNotMatch(policy.join(), /unsafe|\*|http/);
  });

  for (const html of ["<style></style>", `${PAGE}<script></script>`]) {
    it(`refuses ${html}`, () => {
      assert.throws(() => describePage(html), /Cannot use the status page: expected one <script>/);
    });
  }
});

describe("createPageReader", () => {
  it("reads the file once, and again after a failure", async (t) => {
    const file = join(await tempDir(t), "page.html");
    const read = createPageReader(pathToFileURL(file));
    await assert.rejects(read(), { code: "ENOENT" });
    await writeFile(file, PAGE);
    const page = await read();
    assert.equal(page.html, PAGE);
    await writeFile(file, "");
    assert.equal(await read(), page);
  });
});
