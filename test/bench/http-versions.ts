/** `npm run bench:http-versions -- [--rounds 12] [--seconds 1]`: what it costs HTTP/1.1 that an endpoint speaks HTTP/2 as well. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Scope } from "../helpers/scope.ts";
import { SteadyClient, sumUp } from "../helpers/steady-client.ts";
import { cpuSecondsOf } from "./cpu.ts";
import { quartiles } from "./statistics.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const APP = fileURLToPath(new URL("./app.ts", import.meta.url));
const CLIENTS = 8;
const READY_WITHIN_MS = 15_000;
/** The second of two equal ones tells the noise of the method. */
const ENDPOINTS = ["1", "auto", "control"] as const;
type Name = (typeof ENDPOINTS)[number];

interface Bench {
  readonly dir: string;
  readonly pid: number;
  readonly windowMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "12" },
      seconds: { type: "string", default: "1" },
    },
  });
  const dir = mkdtempSync("/tmp/or-");
  const listen = ENDPOINTS.flatMap((name) => {
    const http = name === "control" ? "1" : name;
    return ["--listen", `${join(dir, name)}?name=${name}&http=${http}`];
  });
  const flags = ["--ops", "off", "--access-log", "off", "--workers", "0", ...listen];
  const child = spawn(process.execPath, [PROGRAM, APP, ...flags], { stdio: "ignore" });
  try {
    await ready(dir);
    const bench = { dir, pid: child.pid ?? 0, windowMs: Number(values.seconds) * 1_000 };
    console.log("| processor time a request, http=1 against | median | quartiles |");
    console.log("| --- | ---: | ---: |");
    for (const closes of [true, false]) await compare(bench, closes, Number(values.rounds));
  } finally {
    child.kill("SIGTERM");
    await once(child, "close");
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Every endpoint once a round, forwards and backwards in turn; each is compared within its round. */
async function compare(bench: Bench, closes: boolean, rounds: number): Promise<void> {
  const ratios: Record<"auto" | "control", number[]> = { auto: [], control: [] };
  for (const name of ENDPOINTS) await measure(bench, name, closes);
  for (let round = 0; round < rounds; round += 1) {
    const costs: Partial<Record<Name, number>> = {};
    for (const name of round % 2 === 0 ? ENDPOINTS : ENDPOINTS.toReversed())
      costs[name] = await measure(bench, name, closes);
    for (const name of ["auto", "control"] as const)
      ratios[name].push((costs["1"] ?? Number.NaN) / (costs[name] ?? Number.NaN));
  }
  for (const [name, list] of Object.entries(ratios)) {
    const { median, q1, q3 } = quartiles(list);
    const what = `${name}, ${closes ? "a new connection each" : "kept alive"}`;
    console.log(`| ${what} | ${median.toFixed(3)} | ${q1.toFixed(3)} to ${q3.toFixed(3)} |`);
  }
}

/** Processor time of a request, in microseconds. */
async function measure(
  { dir, pid, windowMs }: Bench,
  name: Name,
  closes: boolean,
): Promise<number> {
  const cleanups: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (cleanup) => void cleanups.push(cleanup) };
  const target = { path: join(dir, name) };
  const clients = Array.from(
    { length: CLIENTS },
    () => new SteadyClient(scope, { target, closes }),
  );
  await delay(100);
  const [cpuBefore, before] = [cpuSecondsOf([pid]), sumUp(clients).answered];
  await delay(windowMs);
  const [cpuAfter, after] = [cpuSecondsOf([pid]), sumUp(clients)];
  await Promise.all(clients.map((client) => client.stop()));
  for (const cleanup of cleanups) await cleanup();
  if (after.failures.length > 0) throw new Error(after.failures[0]);
  return (1e6 * (cpuAfter - cpuBefore)) / (after.answered - before);
}

async function ready(dir: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!ENDPOINTS.every((name) => existsSync(join(dir, name)))) {
    if (performance.now() > deadline) throw new Error("The server did not start");
    await delay(20);
  }
}

await main();
