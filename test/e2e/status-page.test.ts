import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, it, type TestContext } from "node:test";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { formatCount } from "../../src/ops/page/format.ts";
import { openTab, startBrowser, type Tab } from "../helpers/browser.ts";
import { eventually } from "../helpers/deadline.ts";
import { request } from "../helpers/http.ts";
import {
  animationsOf,
  backgroundOf,
  measureContrast,
  overflowOf,
  setHidden,
  watchForNegatives,
} from "../helpers/in-page.ts";
import { needs } from "../helpers/needs.ts";
import { freePort } from "../helpers/nginx.ts";
import { startGroup } from "../helpers/process-group.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { SteadyClient } from "../helpers/steady-client.ts";
import { CUT } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 30_000;
const MAX_BYTES = 40_000;
const BROWSER_ACCEPTS = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const LEAST_CONTRAST = 4.5;

function urlOf({ opsPort }: Serving): string {
  return `http://127.0.0.1:${opsPort}/status`;
}

/** Resolves when an element shows a text. */
async function shows(page: Page, selector: string, text: RegExp): Promise<void> {
  const shown = (): Promise<string | null> => page.locator(selector).textContent();
  let last: string | null = null;
  const matches = async (): Promise<true | undefined> =>
    text.test((last = await shown()) ?? "") || undefined;
  await eventually(DEADLINE_MS, matches, `${selector} to show ${text}`).catch((error: unknown) => {
    throw new Error(`${selector} shows "${last}"`, { cause: error });
  });
}

/** The cell of a column, in the row of the first endpoint or worker. */
function cell(table: "endpoints" | "workers", column: string): string {
  return `#${table} tbody tr:not(.none):nth-of-type(2) [data-label="${column}"]`;
}

async function numberIn(locator: Locator): Promise<number> {
  return Number((await locator.textContent())?.replaceAll(",", ""));
}

describe("/status", () => {
  it("gives curl JSON and a browser a small page that is closed to everything", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    for (const [path, accept] of [
      ["/status", "*/*"],
      ["/status", "application/json"],
      ["/status?json", BROWSER_ACCEPTS],
    ] as const) {
      const { headers, json } = await service.ops(path, { headers: { accept } });
      assert.equal(headers["content-type"], "application/json; charset=utf-8");
      assert.partialDeepStrictEqual(json(), { phase: "ready" });
    }
    const { headers, body, text } = await service.ops("/status", {
      headers: { accept: BROWSER_ACCEPTS },
    });
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["vary"], "Accept, Accept-Encoding");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.match(String(headers["content-security-policy"]), /^default-src 'none'; /);
    assert.doesNotMatch(String(headers["content-security-policy"]), /unsafe/);
    assert.ok(body.length < MAX_BYTES, `the page has ${body.length} bytes`);
    assert.doesNotMatch(text(), /<[^>]+ (?:src|style|on\w+)=/);
  });
});

// Each case waits for answers that come once a second: two at a time cost little more than one.
describe("the package", () => {
  it("holds the page, and none of its parts", async (t) => {
    const npm = startGroup(t, "npm", {
      args: ["pack", "--dry-run", "--json", "--ignore-scripts"],
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    const text = (await npm.stdout.toArray()).join("");
    const paths = [...text.matchAll(/"path": "(dist\/ops\/page[^"]*)"/g)].map(([, path]) => path);
    assert.deepEqual(paths, ["dist/ops/page.html"]);
  });
});

describe("the status page in Chromium", { concurrency: 2, ...needs("chromium") }, () => {
  let browser: Browser;
  const cleanups: (() => Promise<void>)[] = [];
  before(async () => {
    browser = await startBrowser({ after: (cleanup) => void cleanups.push(cleanup) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  /** Opens the page and resolves when it shows the first answer. */
  async function open(
    t: TestContext,
    service: Serving,
    options: BrowserContextOptions = {},
  ): Promise<Tab> {
    const tab = await openTab(t, browser, { url: urlOf(service), ...options });
    await shows(tab.page, "#link", /^Live$/);
    return tab;
  }

  it("shows live numbers, those of /metrics, and asks nobody else", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--workers", "2"] });
    const { page, complaints, requests } = await open(t, service);
    const requestsCell = page.locator(cell("endpoints", "Requests"));
    assert.equal(await numberIn(requestsCell), 0);
    const shown = page.locator(`#endpoints tbody svg path:not(.area)`).first();
    const drawn = await shown.getAttribute("d");

    await Promise.all([1, 2, 3].map(() => RawClient.open(t, { path: service.socketPath })));
    const client = new SteadyClient(t, {
      target: { path: service.socketPath },
      path: "/slow?ms=6",
      closes: true,
    });
    await shows(page, cell("endpoints", "Requests / s"), /^[1-9][\d,]*(?:\.\d)?$/);
    await shows(page, cell("endpoints", "Latency p99"), /^\d+(?:\.\d+)?\u202fm?s$/);
    assert.notEqual(await shown.getAttribute("d"), drawn);
    await client.stop();

    await shows(
      page,
      cell("endpoints", "Requests"),
      new RegExp(`^${formatCount(client.answered)}$`),
    );
    await shows(page, cell("endpoints", "Connections"), /^3$/);
    const metrics = await service.metrics();
    assert.equal(metrics.sum("http_server_request_duration_seconds_count"), client.answered);
    assert.equal(metrics.sum("outrigger_endpoint_connections"), 3);
    await shows(
      page,
      "#facts div:nth-child(2) dd",
      new RegExp(`^${formatCount(client.answered + 3)} $`),
    );
    assert.equal(metrics.sum("outrigger_endpoint_connections_accepted_total"), client.answered + 3);
    const workers = await page.locator('#workers [data-label="PID"]').allTextContents();
    assert.deepEqual(new Set(workers.map(Number)), new Set(service.program.workerPids()));

    assert.deepEqual(complaints, []);
    assert.deepEqual(new Set(requests), new Set([urlOf(service), `${urlOf(service)}?json`]));
  });

  it("can be read in light and dark, fresh and old, at every width", async (t) => {
    const dir = await tempDir(t);
    const socket = join(dir, `${"long-name-".repeat(6)}.sock`);
    const service = await serveApp(t, "hello.mjs", { args: ["--listen", socket] });
    const backgrounds = new Set<string>();
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await open(t, service, { colorScheme });
      for (const width of [360, 480, 800, 1024, 1025, 1400]) {
        await page.setViewportSize({ width, height: 700 });
        assert.equal(await overflowOf(page), 0, `scrolls sideways at ${width} px`);
      }
      await assertReadable(page);
      backgrounds.add(await backgroundOf(page));
      await page.locator("#pause").click();
      await shows(page, "#trouble", /^Paused\. What is shown is \d/);
      await assertReadable(page);
    }
    assert.equal(backgrounds.size, 2);
  });

  it("can be used with keys, by ear and without motion", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const viewport = { width: 360, height: 700 };
    const { page } = await open(t, service, { viewport, reducedMotion: "reduce" });
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    await shows(page, "#link", /^Paused$/);
    await page.keyboard.press("Space");
    await shows(page, "#link", /^Live$/);
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus").textContent(), "JSON");

    // Laid out as blocks the tables are tables still.
    const endpoints = page.getByRole("table", { name: /^Endpoints/ });
    assert.equal(await endpoints.getByRole("columnheader").count(), 9);
    assert.equal(await endpoints.getByRole("rowheader").count(), 1);
    assert.equal(await endpoints.getByRole("cell").count(), 8);
    const chart = page.getByRole("img", {
      name: /^Requests per second: .* in the last 2 minutes$/,
    });
    await chart.waitFor({ timeout: DEADLINE_MS });
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Ready");
    assert.equal(await animationsOf(page), 0);
  });

  it("asks no more while it is hidden or paused", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const { page, requests } = await open(t, service);
    await page.clock.install();
    await page.reload();
    await shows(page, "#link", /^Live$/);
    for (const stop of [
      { off: () => setHidden(page, true), on: () => setHidden(page, false) },
      { off: () => page.locator("#pause").click(), on: () => page.locator("#pause").click() },
    ]) {
      await stop.off();
      const asked = requests.length;
      await page.clock.runFor(30_000);
      assert.equal(requests.length, asked);
      const answered = page.waitForResponse(/json/, { timeout: DEADLINE_MS });
      await stop.on();
      assert.equal((await answered).status(), 200);
    }
  });

  it("shows a worker that was killed, and its successor", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const { page, complaints } = await open(t, service);
    const [pid = 0] = service.program.workerPids();
    process.kill(pid, "SIGKILL");
    await shows(page, "#facts div:first-child dd", /^1 \(killed 1\)$/);
    await shows(page, cell("workers", "State"), /^ready$/);
    await shows(page, cell("workers", "PID"), new RegExp(`^(?!${pid}$)\\d+$`));
    assert.deepEqual(complaints, []);
  });

  it("shows the drain, says when nobody answers, and recovers with a new server", async (t) => {
    const port = await freePort();
    const args = ["--ops", `127.0.0.1:${port}`, "--grace-period", "2m"];
    const service = await serveApp(t, "draining.mjs", { args });
    for (let count = 0; count < 20; count += 1) await service.request({ path: "/" });
    const { page, complaints } = await open(t, service);
    await shows(page, cell("endpoints", "Requests"), /^20$/);
    const client = await RawClient.open(t, { path: service.socketPath });
    client.socket.write("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
    await service.program.line(({ app }) => app === "hanging");
    service.program.signal("SIGTERM");
    await shows(page, "#phase", /^Draining$/);
    await shows(
      page,
      "#drain-text",
      /what is open is cut in \d[^.]*\. Left: 1 connection, 1 request in flight, 1 worker\.$/,
    );
    assert.ok((await page.locator("#drain-progress").getAttribute("value")) !== null);
    // The second signal ends what would never end by itself.
    service.program.signal("SIGTERM");
    assert.deepEqual(await service.program.exit(), CUT);
    await shows(
      page,
      "#trouble",
      /^No answer from the server: it cannot be reached\. What is shown is \d+.s old\./,
    );
    assert.match((await page.locator("body").getAttribute("class")) ?? "", /stale/);
    await assertReadable(page);

    const negatives = await watchForNegatives(page);
    const successor = await serveApp(t, "draining.mjs", { args });
    await shows(page, "#phase", /^Ready$/);
    await shows(page, "#link", /^Live$/);
    assert.equal(await page.locator("#trouble").isVisible(), false);
    await successor.request({ path: "/" });
    await shows(page, cell("endpoints", "Requests"), /^1$/);
    await shows(page, cell("endpoints", "Requests / s"), /^0(?:\.\d)?$|^< 0\.1$/);
    assert.deepEqual(await negatives(), []);
    const others = complaints.filter(
      (text) => !/ERR_(?:CONNECTION|EMPTY)|Failed to load/.test(text),
    );
    assert.deepEqual(others, []);
  });

  it("takes what an app says for text, whatever it looks like", async (t) => {
    const dir = await tempDir(t);
    const file = join(dir, "<img src=x onerror=alert(1)>");
    await writeFile(file, "");
    const service = await serveApp(t, "lifecycle.mjs", { env: { HEALTH_FILE: file } });
    const { page, complaints } = await open(t, service);
    await shows(page, "#phase", /^Not ready$/);
    await shows(page, "#meaning", /^\/readyz fails: .*<img src=x onerror=alert\(1\)> exists\.$/);
    await shows(page, cell("workers", "State"), /unhealthy: .*<img src=x/);
    assert.equal(await page.locator("img").count(), 0);
    assert.deepEqual(complaints, []);
  });

  it("works under any path of a proxy", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const { page } = await openTab(t, browser, { url: `${urlOf(service)}/` });
    await shows(page, "#link", /^Live$/);
    const href = await page.locator("#metrics").getAttribute("href");
    assert.equal((await request({ port: service.opsPort, path: href ?? "" })).status, 200);
  });
});

async function assertReadable(page: Page): Promise<void> {
  const texts = await measureContrast(page);
  assert.ok(texts.length > 30, `only ${texts.length} texts are shown`);
  assert.deepEqual(
    texts.filter(({ ratio }) => ratio < LEAST_CONTRAST),
    [],
  );
}
