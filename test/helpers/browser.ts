import assert from "node:assert/strict";
import {
  chromium,
  type Browser,
  type BrowserContextOptions,
  type Page,
  type Response,
} from "playwright-core";
import { findTool } from "../tools.ts";
import { eventually } from "./deadline.ts";
import { onEnd, type Scope } from "./scope.ts";

/** As root there is no sandbox; the rest keeps it from talking to anybody but us. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const DEADLINE_MS = 30_000;
/** Chromium drops what is under way when a network interface comes or goes, as with somebody's containers. */
const NETWORK_CHANGED = "ERR_NETWORK_CHANGED";

/** Starts Debian's Chromium without a window, with an empty profile that is gone when the scope ends. */
export async function startBrowser(scope: Scope): Promise<Browser> {
  const executablePath = findTool("chromium");
  if (executablePath === undefined) throw new Error("Cannot start chromium: it is not installed");
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  onEnd(scope, () => browser.close());
  return browser;
}

/** A tab and what went wrong in it. */
export interface Tab {
  readonly page: Page;
  /** Warnings and errors of the console, violations of the policy among them. */
  readonly complaints: string[];
  /** URLs of all requests. */
  readonly requests: string[];
}

/** Opens a URL in a tab with nothing in common with others; it is closed when the scope ends. */
export async function openTab(
  scope: Scope,
  browser: Browser,
  { url, ...options }: BrowserContextOptions & { readonly url: string },
): Promise<Tab> {
  const context = await browser.newContext(options);
  onEnd(scope, () => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    const text = message.text();
    if (["error", "warning"].includes(message.type()) && !text.includes(NETWORK_CHANGED))
      complaints.push(text);
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  const visit = (): Promise<Response | null | undefined> =>
    page.goto(url).catch((error: unknown) => {
      if (String(error).includes(NETWORK_CHANGED)) return undefined;
      throw error;
    });
  const response = await eventually(DEADLINE_MS, visit, `an answer from ${url}`);
  assert.equal(response?.status(), 200);
  return { page, complaints, requests };
}
