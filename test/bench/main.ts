/** `npm run bench -- [--rounds 40] [--milliseconds 250] [--batches 8] [--servers bare,metrics]`: prints tables for docs/benchmarks.md. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findTool } from "../tools.ts";
import { cpuSecondsOf } from "./cpu.ts";
import { load, SCENARIOS, type LoadOptions } from "./load.ts";
import { memoryOf, type Memory } from "./memory.ts";
import { childrenOf } from "./processes.ts";
import {
  average,
  formatConditions,
  formatMemory,
  formatRates,
  type Conditions,
  type Measurement,
  type Round,
} from "./report.ts";
import { SERVER_NAMES, startServer, type Server, type ServerName } from "./servers.ts";

const SERVER_CORE = 0;
const LOAD_CORE = 1;
// Garbage of the start is collected and reports are flowing.
const SETTLE_MS = 5_000;
const WARM_UP_MS = 500;
// More than one: each ends with responses that nobody waits for, and code compiled before the first is compiled anew.
const WARM_UP_ROUNDS = 2;

interface Options extends Conditions {
  readonly names: readonly ServerName[];
  readonly dir: string;
}

async function main(): Promise<void> {
  if (findTool("h2load") === undefined) throw new Error("Cannot measure: h2load is not installed");
  if (availableParallelism() < 2)
    throw new Error("Cannot measure: server and load need a core each");
  // In memory where there is some: the access log must not measure the disk of the machine.
  const dir = mkdtempSync(existsSync("/dev/shm") ? "/dev/shm/or-bench-" : "/tmp/or-bench-");
  const options = { ...parseOptions(), dir };
  const rounds: Round[] = [];
  for (let batch = 0; batch < options.batches; batch += 1) {
    const count = share(options.rounds, options.batches, batch);
    console.error(`Batch ${batch + 1} of ${options.batches}: ${count} rounds`);
    rounds.push(...(await runBatch(count, options)));
  }
  console.log(`${formatConditions(options)}\n\n${formatRates(rounds, options.names)}`);
  if (options.names.includes("metrics")) console.log(`\n${formatMemory(await idleMemory(dir))}`);
  rmSync(dir, { recursive: true });
}

function parseOptions(): Omit<Options, "dir"> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "40" },
      milliseconds: { type: "string", default: "250" },
      batches: { type: "string", default: "8" },
      servers: { type: "string", default: SERVER_NAMES.join(",") },
    },
  });
  const wanted = values.servers.split(",");
  return {
    rounds: positive("rounds", values.rounds),
    milliseconds: positive("milliseconds", values.milliseconds),
    batches: Math.min(positive("batches", values.batches), positive("rounds", values.rounds)),
    names: SERVER_NAMES.filter((name) => name === "bare" || wanted.includes(name)),
  };
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`Cannot parse --${name} "${text}": expected a whole number above 0`);
}

function share(total: number, parts: number, index: number): number {
  return Math.floor((total * (index + 1)) / parts) - Math.floor((total * index) / parts);
}

/** Some rounds on fresh processes, so that no process' luck with its memory layout decides. */
async function runBatch(count: number, { names, dir, milliseconds }: Options): Promise<Round[]> {
  await using stack = new AsyncDisposableStack();
  const servers: Server[] = [];
  for (const name of names) {
    const server = await startServer(name, { dir, core: SERVER_CORE });
    stack.defer(() => server.stop());
    servers.push(server);
  }
  const rounds: Round[] = [];
  for (const scenario of SCENARIOS) {
    const options = { scenario, milliseconds, core: LOAD_CORE, dir };
    // Code that the first requests have not made hot yet would count as that of the server.
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1)
      await runRound(servers, { ...options, milliseconds: WARM_UP_MS });
    for (let round = 0; round < count; round += 1)
      rounds.push(await runRound(rotate(servers, round), options));
  }
  return rounds;
}

/** Loads every server twice, there and back, so that a machine that grows slower favours nobody. */
async function runRound(
  servers: readonly Server[],
  options: Omit<LoadOptions, "socket">,
): Promise<Round> {
  const there = new Map<Server, Measurement>();
  for (const server of servers) there.set(server, await runWindow(server, options));
  const measurements = new Map<ServerName, Measurement>();
  for (const [server, first] of [...there].toReversed())
    measurements.set(server.name, average(first, await runWindow(server, options)));
  return { scenario: options.scenario, measurements };
}

async function runWindow(
  { socket, pid, emptyLog }: Server,
  options: Omit<LoadOptions, "socket">,
): Promise<Measurement> {
  emptyLog();
  const pids = [pid, ...childrenOf(pid)];
  const cpuSecondsBefore = cpuSecondsOf(pids);
  const { requests, requestsPerSecond } = await load({ ...options, socket });
  const cpuMicroseconds = (cpuSecondsOf(pids) - cpuSecondsBefore) * 1e6;
  return { requestsPerSecond, cpuMicrosecondsPerRequest: cpuMicroseconds / requests };
}

/** Nobody is always first. */
function rotate(servers: readonly Server[], by: number): Server[] {
  const start = by % servers.length;
  return [...servers.slice(start), ...servers.slice(0, start)];
}

async function idleMemory(dir: string): Promise<[string, Memory][]> {
  const server = await startServer("metrics", { dir, core: SERVER_CORE });
  try {
    await delay(SETTLE_MS);
    const supervisor = memoryOf(server.pid);
    const workers = childrenOf(server.pid).map(memoryOf);
    const all = [supervisor, ...workers];
    const sum = {
      rssMb: total(all.map(({ rssMb }) => rssMb)),
      pssMb: total(all.map(({ pssMb }) => pssMb)),
    };
    return [
      ["supervisor", supervisor],
      ...workers.map((worker): [string, Memory] => ["worker", worker]),
      ["together", sum],
    ];
  } finally {
    await server.stop();
  }
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

await main();
