/** `npm run bench:evenness -- [--workers 2,4,8] [--runs 5]`: how evenly kept-alive connections are shared, and how soon. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { eventually } from "../helpers/deadline.ts";
import { scrape } from "../helpers/metrics.ts";
import { startProgram } from "../helpers/program.ts";
import { SteadyClient, sumUp } from "../helpers/steady-client.ts";
import { withPlace } from "./compare/scene.ts";

const CONNECTIONS = 64;
const AFTER_START_MS = 3_000;
const AFTER_CHANGE_MS = 6_000;
const LOOK_EVERY_MS = 100;
const WITHIN_MS = 20_000;
const APP = fileURLToPath(new URL("./app.ts", import.meta.url));

/** Connections of each worker some time after something happened. */
interface Sharing {
  readonly counts: readonly number[];
  /** From when on they were even until that time; undefined when they were not. */
  readonly evenAfterMs: number | undefined;
}

interface Run {
  readonly started: Sharing;
  readonly killed: Sharing;
  readonly grown: Sharing;
  /** Requests that failed: those the killed worker was executing. */
  readonly failed: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workers: { type: "string", default: "2,4,8" },
      runs: { type: "string", default: "5" },
    },
  });
  console.log(
    "| workers | after the start | after `kill -9` | even after | after SIGTTIN | even after | failed |",
  );
  console.log("| ---: | --- | --- | ---: | --- | ---: | ---: |");
  for (const workers of values.workers.split(",").map(Number))
    for (let run = 0; run < Number(values.runs); run += 1)
      console.log(formatRow(workers, await measure(workers)));
}

async function measure(workers: number): Promise<Run> {
  return await withPlace({ isRecycling: false }, async (scope, { dir }) => {
    const socket = join(dir, "even.sock");
    const program = startProgram(scope, {
      args: [
        ...[APP, "--socket", socket, "--ops", "127.0.0.1:0", "--access-log", "off"],
        ...["--workers", String(workers), "--min-ready", String(workers)],
      ],
    });
    const port = await program.opsPort();
    const read = (): Promise<number[]> => readCounts(port);
    const target = { path: socket };
    const clients = Array.from({ length: CONNECTIONS }, () => new SteadyClient(scope, { target }));
    const started = await watch(read, AFTER_START_MS);
    const [victim = NaN] = program.workerPids();
    process.kill(victim, "SIGKILL");
    const isReplaced = (): boolean => {
      const pids = program.workerPids();
      return pids.length === workers && !pids.includes(victim);
    };
    await eventually(WITHIN_MS, () => isReplaced() || undefined, "a new worker");
    const killed = await watch(read, AFTER_CHANGE_MS);
    program.signal("SIGTTIN");
    await program.line("grow done", WITHIN_MS);
    const grown = await watch(read, AFTER_CHANGE_MS);
    const { failures } = sumUp(clients);
    await Promise.all(clients.map((client) => client.stop()));
    return { started, killed, grown, failed: failures.length };
  });
}

async function readCounts(port: number): Promise<number[]> {
  const { samples } = await scrape(port);
  return samples
    .filter(({ name }) => name === "outrigger_worker_connections")
    .map(({ value }) => value);
}

/** Looks on for so long. */
async function watch(read: () => Promise<number[]>, forMs: number): Promise<Sharing> {
  const beginMs = performance.now();
  let evenAfterMs: number | undefined;
  for (;;) {
    const counts = await read();
    const sinceMs = performance.now() - beginMs;
    if (!isEven(counts)) evenAfterMs = undefined;
    else evenAfterMs ??= sinceMs;
    if (sinceMs >= forMs) return { counts, evenAfterMs };
    await delay(LOOK_EVERY_MS);
  }
}

/** Nobody has a tenth more than its fair share, beyond what whole connections ask for, and nobody is left out. */
function isEven(counts: readonly number[]): boolean {
  const share = CONNECTIONS / counts.length;
  return (
    Math.max(...counts) <= Math.max(Math.ceil(share), 1.1 * share) &&
    Math.min(...counts) >= 0.75 * share
  );
}

function formatRow(workers: number, { started, killed, grown, failed }: Run): string {
  const cells = [
    workers,
    formatCounts(started),
    formatCounts(killed),
    formatTime(killed),
    formatCounts(grown),
    formatTime(grown),
    failed,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** As a multiple of the fair share, and the connections themselves. */
function formatCounts({ counts }: Sharing): string {
  const sum = counts.reduce((all, each) => all + each, 0);
  return `${((Math.max(...counts) * counts.length) / sum).toFixed(2)} (${counts.join(" ")})`;
}

function formatTime({ evenAfterMs }: Sharing): string {
  return evenAfterMs === undefined ? "not" : `${(evenAfterMs / 1_000).toFixed(1)} s`;
}

await main();
