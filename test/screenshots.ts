/**
 * `npm run screenshots`, as root on Debian: takes the pictures of the status page in docs/ anew, of the program under
 * traffic that rises and falls for a minute, with a worker killed on the way.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, stat } from "node:fs/promises";
import { Agent, get, type RequestOptions } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openTab, startBrowser } from "./helpers/browser.ts";
import { portOf, startProgram } from "./helpers/program.ts";
import { fixture } from "./helpers/serving.ts";
import { ensureTools, findTool, installPackages } from "./tools.ts";

const DOCS = fileURLToPath(new URL("../docs/", import.meta.url));
const SOCKET_DIR = "/run/shop";
const HOST = "shop-6c9d7f8b5-x2k4m";
const SECONDS = 75;
const CLIENTS = 12;
const MAX_TOTAL_BYTES = 150_000;
const PICTURES = [
  { name: "status-light.png", colorScheme: "light", width: 1080 },
  { name: "status-dark.png", colorScheme: "dark", width: 1080 },
  { name: "status-narrow.png", colorScheme: "light", width: 360 },
] as const;

/** Runs its cleanups in reverse order. */
class Stage {
  readonly #cleanups: (() => Promise<void>)[] = [];

  after(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.toReversed()) await cleanup();
  }
}

async function main(): Promise<void> {
  ensureTools();
  if (findTool("pngquant") === undefined) installPackages(["pngquant"]);
  await mkdir(SOCKET_DIR);
  const stage = new Stage();
  try {
    await takePictures(stage);
  } finally {
    await stage.end();
    await rm(SOCKET_DIR, { recursive: true });
  }
}

async function takePictures(stage: Stage): Promise<void> {
  const socketPath = `${SOCKET_DIR}/app.sock`;
  const program = startProgram(stage, {
    args: [
      fixture("hello.mjs"),
      ...["--listen", `${socketPath}?name=app`, "--listen", "127.0.0.1:8080?name=direct"],
      ...["--workers", "4", "--access-log", "off", "--ops", "127.0.0.1:0"],
    ],
    wrapper: ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', HOST],
  });
  const url = `http://127.0.0.1:${await program.opsPort()}/status`;
  const browser = await startBrowser(stage);
  const tabs = await Promise.all(
    PICTURES.map(({ colorScheme, width }) =>
      openTab(stage, browser, { url, colorScheme, viewport: { width, height: 600 } }),
    ),
  );
  const endMs = Date.now() + SECONDS * 1000;
  const port = portOf(await program.address("direct"));
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    visit(index % 3 === 0 ? { port } : { socketPath }, endMs),
  );
  await delay((SECONDS / 4) * 1000);
  process.kill(program.workerPids()[1] ?? 0, "SIGKILL");
  await delay(endMs - Date.now() - 2_000);
  let total = 0;
  for (const [index, { name }] of PICTURES.entries()) {
    const path = `${DOCS}${name}`;
    // Hiding the caret would add a style, which the page's policy forbids.
    await tabs[index]?.page.screenshot({ path, fullPage: true, caret: "initial" });
    spawnSync(findTool("pngquant") ?? "pngquant", ["--force", "--ext", ".png", "--strip", path]);
    total += (await stat(path)).size;
  }
  await Promise.all(clients);
  console.log(`${PICTURES.length} pictures, ${total} bytes`);
  if (total > MAX_TOTAL_BYTES) throw new Error(`The pictures have ${total} bytes`);
}

/** Asks for this and that on a connection of its own, more often at some times than at others. */
async function visit(target: RequestOptions, endMs: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (Date.now() < endMs) {
    await ask({ ...target, agent, path: pathByChance() }).catch(() => {});
    await delay(Math.random() * (60 - 45 * Math.sin(Date.now() / 9_000)));
  }
  agent.destroy();
}

async function ask(options: RequestOptions): Promise<void> {
  const [response] = await once(get(options), "response");
  await once(response.resume(), "end");
}

function pathByChance(): string {
  const chance = Math.random();
  if (chance < 0.003) return "/throw-async";
  if (chance < 0.02) return `/slow?ms=${80 + 200 * Math.random()}`;
  return `/slow?ms=${4 + 30 * Math.random() ** 3}`;
}

await main();
