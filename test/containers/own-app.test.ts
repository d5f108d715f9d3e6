import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { IMAGE, needsContainers, ROOT, suiteContainers } from "../helpers/containers.ts";
import { request } from "../helpers/http.ts";
import type { Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DOCUMENT = "docs/containers.md";
const OUR_BUILD = "docker build --tag outrigger --file docker/Dockerfile .";
/** compose.test.ts does what these do. */
const COMPOSE = ["docker compose up --detach --wait", "docker compose down"];
const APP = `import { defineFetch } from "outrigger";
import { name } from "./lib/name.js";
export default defineFetch(() => new Response(name));
`;

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** A Dockerfile of the document, by the name of its marker. */
function dockerfile(name: string): string {
  const block = new RegExp(`<!-- ${name}:start -->\\n\`\`\`dockerfile\\n(.*?)\`\`\``, "s");
  const [, text] = block.exec(read(DOCUMENT)) ?? [];
  assert.ok(text !== undefined, name);
  return text;
}

/** Every line of the document's shell examples. */
function commands(): string[] {
  const blocks = [...read(DOCUMENT).matchAll(/```sh\n(.*?)```/gs)].map(([, text = ""]) => text);
  return blocks.flatMap((block) => block.trim().split("\n"));
}

async function makeApp(scope: Scope, name: string): Promise<string> {
  const dir = await tempDir(scope);
  await writeFile(join(dir, "Dockerfile"), dockerfile(name));
  await mkdir(join(dir, "lib"));
  await writeFile(join(dir, "lib/name.js"), `export const name = "on top";\n`);
  await writeFile(join(dir, "app.js"), APP);
  await writeFile(join(dir, "package.json"), `{ "type": "module" }\n`);
  return dir;
}

describe("an app on top of the image", needsContainers(), () => {
  const open = suiteContainers();

  it("takes three lines, and runs by the commands of the documentation", async (t) => {
    const dir = await makeApp(t, "three-lines");
    assert.equal(dockerfile("three-lines").trim().split("\n").length, 3);
    assert.equal(IMAGE, "localhost/outrigger:latest");
    const rest = commands().filter((line) => !COMPOSE.includes(line));
    assert.deepEqual(rest.splice(0, 2), [OUR_BUILD, "docker build --tag my-app ."]);
    await open().build({ tag: "my-app", dockerfile: join(dir, "Dockerfile"), context: dir });
    for (const line of rest) {
      const [docker, ...args] = line.split(" ");
      assert.equal(docker, "docker");
      await open().podman(args);
      if (args[0] !== "run") continue;
      await open().healthy("my-app");
      const socketPath = join(await open().pathOf("socket"), "app.sock");
      assert.equal((await request({ socketPath })).text(), "on top");
    }
    assert.equal(rest.at(-1)?.startsWith("docker stop"), true);
    assert.equal(await open().exitCode("my-app"), 0);
  });

  it("brings its dependencies by way of a stage of its own", async (t) => {
    const dir = await makeApp(t, "dependencies");
    const { packages } = JSON.parse(read("package-lock.json")) as {
      readonly packages: Readonly<Record<string, { readonly version: string }>>;
    };
    const path = "node_modules/commander";
    const own = { type: "module", dependencies: { commander: packages[path]?.version } };
    await writeFile(join(dir, "package.json"), JSON.stringify(own));
    const lock = { lockfileVersion: 3, packages: { "": own, [path]: packages[path] } };
    await writeFile(join(dir, "package-lock.json"), JSON.stringify(lock));
    await writeFile(join(dir, "app.js"), `import "commander";\n${APP}`);
    await open().build({ tag: "deep", dockerfile: join(dir, "Dockerfile"), context: dir });
    await open().run(["--name=deep", "--read-only", "--volume=deep:/run/outrigger", "deep"]);
    await open().healthy("deep");
    assert.equal(await open().podman(["exec", "deep", "id", "-u"]), "1000");
  });
});
