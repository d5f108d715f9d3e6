/** One request a connection: how fast connections are accepted and shared out. */
import { existsSync } from "node:fs";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually } from "../../helpers/deadline.ts";
import { startGroup } from "../../helpers/process-group.ts";
import { PROGRAM } from "../../helpers/program.ts";
import type { Scope } from "../../helpers/scope.ts";
import { cpuSecondsOf } from "../cpu.ts";
import { CLIENTS, parseReport } from "../load.ts";
import { childrenOf } from "../processes.ts";
import { PRIMARY } from "./cluster.ts";
import { withPlace } from "./scene.ts";

/** Outrigger as it comes, Outrigger that leaves sharing to the kernel, and node:cluster, round robin. */
export const CHURN_SERVERS = ["gate", "plain", "cluster"] as const;
export type ChurnServer = (typeof CHURN_SERVERS)[number];

/** One window of load on one server. */
export interface ChurnWindow {
  readonly connectionsPerSecond: number;
  /** Share of the one core the server has; when that is not busy, the load was the limit. */
  readonly coreShare: number;
}

/** Every server once, in turn. */
export type ChurnRound = Readonly<Record<ChurnServer, ChurnWindow>>;

export interface ChurnOptions {
  readonly workers: number;
  readonly rounds: number;
  /** Connections in one window. */
  readonly connections: number;
}

const APP = fileURLToPath(new URL("../app.ts", import.meta.url));
const BARE = fileURLToPath(new URL("../bare.ts", import.meta.url));
const SERVER_CORE = "0";
const LOAD_CORE = "1";
const READY_WITHIN_MS = 20_000;
const WINDOW_WITHIN_MS = 60_000;
const run = promisify(execFile);

interface Server {
  readonly name: ChurnServer;
  readonly pid: number;
  readonly socket: string;
}

/** Loads all servers in turn, each with this many workers. */
export async function measureChurn(options: ChurnOptions): Promise<ChurnRound[]> {
  return await withPlace({ isRecycling: false }, async (scope, { dir }) => {
    const servers: Server[] = [];
    for (const name of CHURN_SERVERS)
      servers.push(await start(scope, { name, dir, workers: options.workers }));
    await runRound(servers, options); // warms them up
    const rounds: ChurnRound[] = [];
    while (rounds.length < options.rounds)
      rounds.push(await runRound(rotate(servers, rounds.length), options));
    return rounds;
  });
}

interface StartOptions {
  readonly name: ChurnServer;
  readonly dir: string;
  readonly workers: number;
}

async function start(scope: Scope, { name, dir, workers }: StartOptions): Promise<Server> {
  const socket = join(dir, `${name}.sock`);
  const outrigger = [
    ...[PROGRAM, APP, "--socket", socket, "--ops", "127.0.0.1:0", "--access-log", "off"],
    ...["--workers", String(workers), "--min-ready", String(workers)],
    ...["--balance", name === "plain" ? "off" : "connections"],
  ];
  const command = name === "cluster" ? [PRIMARY, String(workers), BARE, socket] : outrigger;
  const group = startGroup(scope, "taskset", {
    args: ["-c", SERVER_CORE, process.execPath, ...command],
  });
  group.stdout.resume();
  group.stderr.resume();
  const isUp = (): true | undefined =>
    (existsSync(socket) && childrenOf(group.pid).length === workers) || undefined;
  await eventually(READY_WITHIN_MS, isUp, `${name} with ${workers} workers`);
  return { name, pid: group.pid, socket };
}

async function runRound(
  servers: readonly Server[],
  { connections }: ChurnOptions,
): Promise<ChurnRound> {
  const idle: ChurnWindow = { connectionsPerSecond: NaN, coreShare: NaN };
  const round: Record<ChurnServer, ChurnWindow> = { gate: idle, plain: idle, cluster: idle };
  for (const { name, pid, socket } of servers) {
    const pids = [pid, ...childrenOf(pid)];
    const cpuBefore = cpuSecondsOf(pids);
    // It connects anew for every request, because every answer then says that the connection closes.
    // A number of requests and not a time (-D): that never ends when connections close.
    const command = [
      ...["-c", LOAD_CORE, "h2load", "--h1", "-t", "1", "-c", String(CLIENTS)],
      ...["-n", String(connections), "-H", "Connection: close"],
      ...["--base-uri", `unix:${socket}`, "http://localhost/"],
    ];
    const { stdout } = await run("taskset", command, { timeout: WINDOW_WITHIN_MS });
    const { requests, requestsPerSecond } = parseReport(stdout);
    round[name] = {
      connectionsPerSecond: requestsPerSecond,
      coreShare: ((cpuSecondsOf(pids) - cpuBefore) * requestsPerSecond) / requests,
    };
  }
  return round;
}

/** Nobody is always first. */
function rotate(servers: readonly Server[], by: number): Server[] {
  const first = by % servers.length;
  return [...servers.slice(first), ...servers.slice(0, first)];
}
