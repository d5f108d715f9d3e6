import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export const SCENARIOS = ["hello", "10 KB JSON", "1 KB POST"] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface LoadOptions {
  readonly socket: string;
  readonly scenario: Scenario;
  readonly milliseconds: number;
  readonly core: number;
  /** Where the body of a POST is kept. */
  readonly dir: string;
}

/** Clients at a time, each with one request under way: what a busy nginx keeps open. */
export const CLIENTS = 32;

const POST_BYTES = 1024;
const run = promisify(execFile);

/** What one window of load found. */
export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
}

/** Loads a server for a while. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { scenario, socket, milliseconds, core, dir } = options;
  const target = scenario === "10 KB JSON" ? "/json" : "/";
  const { stdout } = await run("taskset", [
    ...[
      "-c",
      String(core),
      "h2load",
      "--h1",
      "-t",
      "1",
      "-c",
      String(CLIENTS),
      "-D",
      `${milliseconds}ms`,
    ],
    ...["--base-uri", `unix:${socket}`],
    ...(scenario === "1 KB POST" ? ["-d", bodyFile(dir)] : []),
    `http://localhost${target}`,
  ]);
  return parseReport(stdout);
}

/** Reads h2load's report; refuses one in which any request failed. */
export function parseReport(report: string): LoadResult {
  const [, rate] = /^finished in .*, ([\d.]+) req\/s/m.exec(report) ?? [];
  const [, failed, errored] = /^requests: .* (\d+) failed, (\d+) errored/m.exec(report) ?? [];
  const [, ok, ...others] =
    /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/m.exec(report) ?? [];
  const isBad = [failed, errored, ...others].some((count) => Number(count) !== 0);
  if (isBad || !(Number(ok) > 0)) throw new Error(`Requests failed:\n${report}`);
  return { requests: Number(ok), requestsPerSecond: Number(rate) };
}

function bodyFile(dir: string): string {
  const path = join(dir, "body");
  writeFileSync(path, "x".repeat(POST_BYTES));
  return path;
}
