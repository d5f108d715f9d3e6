import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./deadline.ts";
import { request, type RequestOptions, type Response } from "./http.ts";
import { scrape, type Labels, type Metrics } from "./metrics.ts";
import { startProgram, type Program } from "./program.ts";
import type { Scope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

const DEADLINE_MS = 15_000;

export interface ServingOptions {
  /** Flags beside the socket, the ops port and one worker, which they override. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command that starts the program. */
  readonly wrapper?: readonly string[];
}

/** The program, ready, with an app on a Unix socket and its ops endpoint on a free port. */
export interface Serving {
  readonly program: Program;
  readonly dir: string;
  readonly socketPath: string;
  readonly opsPort: number;
  /** Sends a request to the socket. */
  readonly request: (options: RequestOptions) => Promise<Response>;
  /** Sends a request to the ops endpoint. */
  ops(path: string, options?: RequestOptions): Promise<Response>;
  /** Metrics of this instant. */
  readonly metrics: () => Promise<Metrics>;
  /** Sum of the fresh samples of a metric with these labels. */
  readonly sum: (metric: string, labels?: Labels) => Promise<number>;
}

/** Absolute path of an app under test/fixtures/apps. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/apps/${name}`, import.meta.url));
}

/** Starts the built program with a fixture app, or one given by absolute path, and resolves when it is ready. */
export async function serveApp(
  scope: Scope,
  app: string,
  { args = [], env = {}, wrapper = [] }: ServingOptions = {},
): Promise<Serving> {
  const dir = await tempDir(scope);
  const socketPath = join(dir, "app.sock");
  const program = startProgram(scope, {
    args: [fixture(app), ...flagsUnless(args, socketPath), ...args],
    env,
    wrapper,
  });
  const opsPort = await program.opsPort();
  const metrics = (): Promise<Metrics> => scrapeAll(opsPort);
  return {
    program,
    dir,
    socketPath,
    opsPort,
    request: (options) => request({ socketPath, ...options }),
    ops: (path, options) => request({ port: opsPort, path, ...options }),
    metrics,
    sum: async (metric, labels) => (await metrics()).sum(metric, labels),
  };
}

/** On a busy machine a worker may miss the short time it has to tell its numbers: then they are older ones. */
async function scrapeAll(opsPort: number): Promise<Metrics> {
  const complete = async (): Promise<Metrics | undefined> => {
    const metrics = await scrape(opsPort);
    return metrics.value("outrigger_metrics_workers_missing") === 0 ? metrics : undefined;
  };
  return await eventually(DEADLINE_MS, complete, "every worker to tell its numbers");
}

function flagsUnless(args: readonly string[], socketPath: string): string[] {
  const defaults = { "--listen": socketPath, "--ops": "127.0.0.1:0", "--workers": "1" };
  return Object.entries(defaults)
    .filter(([flag]) => !args.includes(flag))
    .flat();
}
