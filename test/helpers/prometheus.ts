import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { findTool } from "../tools.ts";
import { eventually } from "./deadline.ts";
import { request } from "./http.ts";
import { freePort } from "./nginx.ts";
import { startGroup } from "./process-group.ts";
import type { Scope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

export interface PrometheusOptions {
  /** `HOST:PORT` of an ops endpoint. */
  readonly target: string;
  /** Path of a file with rules. */
  readonly rules: string;
}

const DEADLINE_MS = 30_000;

/** Starts a Prometheus that scrapes a target and evaluates rules once a second; resolves when it answers. */
export async function startPrometheus(
  scope: Scope,
  { target, rules }: PrometheusOptions,
): Promise<Prometheus> {
  const dir = await tempDir(scope);
  const file = join(dir, "prometheus.yaml");
  const configuration = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [rules],
    scrape_configs: [
      {
        job_name: "outrigger",
        static_configs: [{ targets: [target], labels: { namespace: "shop", pod: "outrigger" } }],
      },
    ],
  };
  await writeFile(file, stringify(configuration));
  const port = await freePort();
  const group = startGroup(scope, findTool("prometheus") ?? "prometheus", {
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
  });
  group.stdout.resume();
  group.stderr.resume();
  const isReady = async (): Promise<true | undefined> => {
    const answer = await request({ port, path: "/-/ready" }).catch(() => undefined);
    return answer?.status === 200 || undefined;
  };
  await eventually(DEADLINE_MS, isReady, "Prometheus to be ready");
  return new Prometheus(port);
}

export class Prometheus {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Asks with promtool; resolves with the series of the answer, as lines. */
  query(expression: string): string[] {
    const args = ["query", "instant", `http://127.0.0.1:${this.#port}`, expression];
    const { status, stdout, stderr } = spawnSync(findTool("promtool") ?? "promtool", args, {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`promtool ${args.join(" ")}: ${stderr}`);
    return stdout.split("\n").filter((line) => line !== "");
  }
}
