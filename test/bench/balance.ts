/** `npm run bench:balance -- [--rounds 3] [--settle 12] [--seconds 5] [--placements together,chance]`: what moving busy connections is worth. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { SteadyClient, sumUp } from "../helpers/steady-client.ts";
import { quartiles } from "./statistics.ts";

const WORKERS = 4;
const CONNECTIONS = 64;
const HOT = 8;
/** Mean pause between a response and the next request. */
const HOT_PAUSE_MS = 10;
const COLD_PAUSE_MS = 1_000;
const READY_WITHIN_MS = 15_000;
const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const APP = fileURLToPath(new URL("./costly-app.ts", import.meta.url));
const MODES = ["connections", "load"] as const;
type Mode = (typeof MODES)[number];

/** Where the hot connections are at the start: all in one worker, or anywhere. */
type Placement = "together" | "chance";

interface Window {
  readonly p50: number;
  readonly p99: number;
  readonly requests: number;
  /** Connections moved before and while it was measured. */
  readonly moved: number;
}

interface Options {
  readonly placement: Placement;
  readonly settleMs: number;
  readonly windowMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "3" },
      settle: { type: "string", default: "12" },
      seconds: { type: "string", default: "5" },
      placements: { type: "string", default: "together,chance" },
    },
  });
  console.log("| hot connections | --balance | p50, ms | p99, ms | requests | moved |");
  console.log("| --- | --- | ---: | ---: | ---: | ---: |");
  for (const placement of ["together", "chance"] as const) {
    if (!values.placements.split(",").includes(placement)) continue;
    const windows: Record<Mode, Window[]> = { connections: [], load: [] };
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const settleMs = Number(values.settle) * 1_000;
      const options = { placement, settleMs, windowMs: Number(values.seconds) * 1_000 };
      for (const mode of round % 2 === 0 ? MODES : MODES.toReversed()) {
        const window = await measure(mode, options);
        windows[mode].push(window);
        console.error(placement, mode, JSON.stringify(window));
      }
    }
    for (const mode of MODES) console.log(formatRow(placement, mode, windows[mode]));
  }
}

async function measure(mode: Mode, { placement, settleMs, windowMs }: Options): Promise<Window> {
  const dir = mkdtempSync(existsSync("/dev/shm") ? "/dev/shm/or-bench-" : "/tmp/or-bench-");
  const socket = join(dir, "app.sock");
  const server = await startServer(mode, dir, socket);
  const took: number[] = [];
  let isMeasuring = false;
  const hot = new Set<number>();
  // Sockets are destroyed when their client stops.
  const scope = { after: (): void => {} };
  const clients = Array.from(
    { length: CONNECTIONS },
    (_, index) =>
      new SteadyClient(scope, {
        target: { path: socket },
        pauseMs: () => exponential(hot.has(index) ? HOT_PAUSE_MS : COLD_PAUSE_MS),
        onAnswer: (_head, tookMs) => void (isMeasuring && took.push(tookMs)),
      }),
  );
  while (clients.some(({ answered }) => answered === 0)) await delay(20);
  for (const index of chooseHot(clients, placement)) hot.add(index);
  await delay(settleMs);
  isMeasuring = true;
  await delay(windowMs);
  isMeasuring = false;
  const { failures, sentAway } = sumUp(clients);
  await Promise.all(clients.map((client) => client.stop()));
  server.kill("SIGTERM");
  await once(server, "close");
  rmSync(dir, { recursive: true });
  if (failures.length > 0) throw new Error(`Requests failed: ${failures.join(", ")}`);
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), requests: took.length, moved: sentAway };
}

async function startServer(mode: Mode, dir: string, socket: string): Promise<ChildProcess> {
  const log = openSync(join(dir, "log"), "a");
  const flags = ["--socket", socket, "--ops", "off", "--access-log", "off", "--balance", mode];
  const ready = ["--workers", String(WORKERS), "--min-ready", String(WORKERS)];
  const child = spawn(process.execPath, [PROGRAM, APP, ...flags, ...ready], {
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  // Published once --min-ready workers accept.
  for (let waitedMs = 0; !existsSync(socket); waitedMs += 20) {
    if (child.exitCode !== null || waitedMs > READY_WITHIN_MS) {
      child.kill("SIGKILL");
      throw new Error(`Cannot start Outrigger: see ${pathToFileURL(join(dir, "log")).href}`);
    }
    await delay(20);
  }
  return child;
}

function chooseHot(clients: readonly SteadyClient[], placement: Placement): number[] {
  const pids = clients.map(({ lastHead }) => /^x-pid: (\d+)/im.exec(lastHead)?.[1]);
  const candidates = [...clients.keys()].filter(
    (index) => placement === "chance" || pids[index] === pids[0],
  );
  const shuffled = candidates.map((index) => ({ index, key: Math.random() }));
  return shuffled
    .toSorted((a, b) => a.key - b.key)
    .slice(0, HOT)
    .map(({ index }) => index);
}

function exponential(mean: number): number {
  return -Math.log(1 - Math.random()) * mean;
}

function formatRow(placement: Placement, mode: Mode, windows: readonly Window[]): string {
  const spread = (read: (window: Window) => number): string => {
    const { q1, median, q3 } = quartiles(windows.map(read));
    return `${median.toFixed(1)} (${q1.toFixed(1)}–${q3.toFixed(1)})`;
  };
  const requests = quartiles(windows.map((window) => window.requests)).median.toFixed(0);
  const moved = quartiles(windows.map((window) => window.moved)).median.toFixed(0);
  const where = placement === "together" ? "in one worker" : "anywhere";
  return `| ${where} | ${mode} | ${spread(({ p50 }) => p50)} | ${spread(({ p99 }) => p99)} | ${requests} | ${moved} |`;
}

await main();
