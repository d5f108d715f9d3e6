/** Installs, builds and serves apps of frameworks that are too large for the suite. */
import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { checkSite, serveFramework } from "../helpers/framework.ts";
import type { Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const BUILD_WITHIN_MS = 10 * 60_000;
const run = promisify(execFile);

/** One way in which a project is run. */
interface Way {
  /** The argument of outrigger, from the folder of the project. */
  readonly app: string;
  /** Folders to copy after the build, from and to. */
  readonly copies?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

const PROJECTS: Readonly<Record<string, Readonly<Record<string, Way>>>> = {
  next: {
    "a custom server, by the start script of its folder": { app: "." },
    "standalone output": {
      app: ".next/standalone/server.js",
      copies: { public: ".next/standalone/public" },
    },
  },
  nitro: { "the node-server preset": { app: ".output/server/index.mjs" } },
  nuxt: { "the node-server preset": { app: ".output/server/index.mjs" } },
  sveltekit: {
    "adapter-node": { app: "build/index.js", env: { ADDRESS_HEADER: "x-forwarded-for" } },
  },
  "react-router": { "Express, by the start script of its folder": { app: "." } },
};

describe("a framework that needs a build", () => {
  for (const [project, ways] of Object.entries(PROJECTS)) {
    it(project, { timeout: BUILD_WITHIN_MS }, async (t) => {
      const cwd = await build(t, project);
      for (const [way, { app, copies = {}, env = {} }] of Object.entries(ways)) {
        for (const [from, to] of Object.entries(copies))
          await cp(join(cwd, from), join(cwd, to), { recursive: true });
        await t.test(way, async (scope) => {
          await checkSite(await serveFramework(scope, { app, cwd, env }));
        });
      }
    });
  }
});

async function build(scope: Scope, project: string): Promise<string> {
  const cwd = join(await tempDir(scope), project);
  await cp(new URL(project, import.meta.url), cwd, { recursive: true });
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "" };
  await run("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund"], { cwd, env });
  await run("npm", ["run", "build"], { cwd, env, maxBuffer: 2 ** 26 });
  return cwd;
}
