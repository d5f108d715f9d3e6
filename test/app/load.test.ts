import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { findApp, importApp, type AppModule } from "../../src/app/load.ts";
import type { Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

async function load(entry: string, cwd: string): Promise<AppModule> {
  return await importApp(await findApp(entry, cwd));
}

/** Writes files into a directory of their own and returns its path. */
async function writeFiles(scope: Scope, files: Record<string, string>): Promise<string> {
  const dir = await tempDir(scope);
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  return dir;
}

const APP = "export const found = true;";
const MODULE = '{ "type": "module" }';

describe("findApp and importApp", () => {
  const places: Record<string, readonly [entry: string, files: Record<string, string>]> = {
    "a file with a relative path": ["./app.mjs", { "app.mjs": APP }],
    "a file without ./": ["app.mjs", { "app.mjs": APP }],
    "a file in a folder": ["lib/app.mjs", { "lib/app.mjs": APP }],
    "a file without its ending": ["./app", { "app.js": APP, "package.json": MODULE }],
    "a TypeScript file": ["./app.ts", { "app.ts": "export const found: boolean = true;" }],
    "a CommonJS file": ["./app.cjs", { "app.cjs": "exports.found = true;" }],
    "the index of a folder": ["./lib", { "lib/index.js": APP, "lib/package.json": MODULE }],
    "the main file of a folder": [
      "./lib",
      { "lib/a/b.js": APP, "lib/package.json": '{ "type": "module", "main": "a/b.js" }' },
    ],
    "the working directory itself": [
      ".",
      { "server.js": APP, "package.json": '{ "type": "module", "main": "server.js" }' },
    ],
    "the file of the start script of a folder": [
      "./lib",
      {
        "lib/package.json": '{ "type": "module", "scripts": { "start": "node  src/x.js " } }',
        "lib/src/x.js": APP,
      },
    ],
    "the main file before that of the start script": [
      "./lib",
      {
        "lib/package.json":
          '{ "type": "module", "main": "a.js", "scripts": { "start": "node b" } }',
        "lib/a.js": APP,
      },
    ],
    "an installed package": [
      "some-app",
      {
        "node_modules/some-app/package.json": '{ "type": "module", "exports": "./x.js" }',
        "node_modules/some-app/x.js": APP,
      },
    ],
    "a path with a space and a percent sign": ["./a b%20.mjs", { "a b%20.mjs": APP }],
    "a file before a package of the same name": [
      "app.mjs",
      { "app.mjs": APP, "node_modules/app.mjs/index.js": "exports.found = false;" },
    ],
  };
  for (const [what, [entry, files]] of Object.entries(places)) {
    it(`finds ${what}`, async (t) => {
      const module = await load(entry, await writeFiles(t, files));
      assert.equal(module["found"], true);
    });
  }

  it("takes an absolute path, wherever it is", async (t) => {
    const dir = await writeFiles(t, { "app.mjs": APP });
    const module = await load(join(dir, "app.mjs"), "/");
    assert.equal(module["found"], true);
  });

  it("sees the members of a default object as exports, named ones first", async (t) => {
    const dir = await writeFiles(t, {
      "app.mjs": "export default { startup: 1, shutdown: 2 }; export const startup = 3;",
    });
    const module = await load("./app.mjs", dir);
    assert.deepEqual([module["startup"], module["shutdown"]], [3, 2]);
  });

  it("leaves the members of an instance alone", async (t) => {
    const dir = await writeFiles(t, {
      "app.mjs": "export default new (class { startup = 1 })();",
    });
    assert.deepEqual(Object.keys(await load("./app.mjs", dir)), ["default"]);
  });

  const missing: Record<string, readonly [entry: string, message: RegExp]> = {
    "a path": ["./none.js", /^Cannot find app "\.\/none\.js": no such file or folder; expected/],
    "a name": ["no-such-package", /no such file, and no installed package of that name/],
    "a folder without a main file": [".", /the folder has no index\.js/],
  };
  for (const [what, [entry, message]] of Object.entries(missing)) {
    it(`says what is missing: ${what}`, async (t) => {
      await assert.rejects(load(entry, await tempDir(t)), { code: "ERR_APP", message });
    });
  }

  for (const script of [
    "next start",
    "node --enable-source-maps x.js",
    "node x.js --port 1",
    "NODE_ENV=production node x.js",
    "node",
  ]) {
    it(`refuses the start script "${script}", and says what may stand there`, async (t) => {
      const manifest = JSON.stringify({ scripts: { start: script } });
      const dir = await writeFiles(t, { "package.json": manifest });
      const message = `Cannot start app "${dir}" by its start script "${script}": expected "node FILE"; name the file instead, and give flags of Node in NODE_OPTIONS`;
      await assert.rejects(load(".", dir), { code: "ERR_APP", message });
    });
  }

  it("passes on what the module throws", async (t) => {
    const dir = await writeFiles(t, { "app.mjs": 'throw new RangeError("broken");' });
    await assert.rejects(load("./app.mjs", dir), { name: "RangeError", message: "broken" });
  });

  it("does not blame the app's path for a module that the app misses", async (t) => {
    const dir = await writeFiles(t, { "app.mjs": 'import "./missing.mjs";' });
    await assert.rejects(load("./app.mjs", dir), /missing\.mjs/);
  });
});
