/**
 * `npm run bench:compare -- [--parts scenarios,stale,churn,crash-loop] [--servers …] [--scenarios …]`: prints
 * tables for docs/benchmarks.md.
 */
import { parseArgs } from "node:util";
import { findTool } from "../../tools.ts";
import { measureChurn } from "./churn.ts";
import { countCrashLog } from "./crash-log.ts";
import { measureCrashLoop } from "./crash-loop.ts";
import { installPeers } from "./install.ts";
import { PEER_NAMES, type Peer } from "./peer.ts";
import {
  CHURN_HEAD,
  formatChurn,
  formatCrashLoop,
  formatMachine,
  formatScenario,
  SCENARIO_HEAD,
} from "./report.ts";
import { runScenario, SCENARIO_NAMES, type ScenarioName } from "./scenarios.ts";
import { comesUpAgain } from "./stale.ts";

const PARTS = ["scenarios", "stale", "churn", "crash-loop"] as const;
const CHURN_WORKERS = [2, 4];
const CHURN_ROUNDS = 9;
const CHURN_CONNECTIONS = 10_000;
const LOGGED_CRASHES = 1_000;
const CRASHING_WORKERS = [4, 8];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      parts: { type: "string", default: PARTS.join(",") },
      servers: { type: "string", default: PEER_NAMES.join(",") },
      scenarios: { type: "string", default: SCENARIO_NAMES.join(",") },
    },
  });
  const parts = chosen("parts", values.parts, PARTS);
  const scenarios = chosen("scenarios", values.scenarios, SCENARIO_NAMES);
  const servers = chosen("servers", values.servers, PEER_NAMES);
  for (const tool of ["nginx", "h2load"] as const)
    if (findTool(tool) === undefined) throw new Error(`Cannot compare: ${tool} is not installed`);
  console.log(`${formatMachine()}\n`);
  if (parts.includes("scenarios") || parts.includes("stale")) {
    using installed = installPeers(servers);
    for (const name of installed.missing) console.log(`Left out, not installed: ${name}\n`);
    if (parts.includes("scenarios")) await compare(installed.peers, scenarios);
    if (parts.includes("stale")) await startAgain(installed.peers);
  }
  if (parts.includes("churn")) await churn();
  if (parts.includes("crash-loop")) await crashLoop();
}

function chosen<T extends string>(option: string, text: string, known: readonly T[]): readonly T[] {
  const wanted = text.split(",");
  const unknown = wanted.find((name) => !known.some((one) => one === name));
  if (unknown === undefined) return known.filter((name) => wanted.includes(name));
  throw new Error(`Cannot parse --${option} "${unknown}": expected some of ${known.join(", ")}`);
}

async function compare(peers: readonly Peer[], scenarios: readonly ScenarioName[]): Promise<void> {
  console.log(SCENARIO_HEAD);
  for (const name of scenarios) {
    for (const peer of peers) {
      const result = await runScenario(name, peer);
      console.log(formatScenario(name, peer.title, result));
      if (result !== undefined) console.error(name, peer.name, result.problems, result.fates);
    }
  }
  console.log();
}

async function startAgain(peers: readonly Peer[]): Promise<void> {
  console.log("| after `kill -9` of all its processes | on the same socket |\n| --- | --- |");
  for (const peer of peers) {
    const comesUp = await comesUpAgain(peer);
    console.log(`| ${peer.title} | ${comesUp ? "comes up" : "does not come up"} |`);
  }
  console.log();
}

async function churn(): Promise<void> {
  console.log(CHURN_HEAD);
  for (const workers of CHURN_WORKERS) {
    const rounds = await measureChurn({
      workers,
      rounds: CHURN_ROUNDS,
      connections: CHURN_CONNECTIONS,
    });
    console.log(formatChurn(workers, rounds));
  }
  console.log();
}

async function crashLoop(): Promise<void> {
  for (const workers of CRASHING_WORKERS) {
    const loop = await measureCrashLoop(workers);
    console.log(formatCrashLoop(loop, await countCrashLog(LOGGED_CRASHES, workers)));
  }
}

await main();
