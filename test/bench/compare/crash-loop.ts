/** What it costs when no worker can start any more. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { eventually } from "../../helpers/deadline.ts";
import { scrape } from "../../helpers/metrics.ts";
import { startProgram, type Program } from "../../helpers/program.ts";
import { cpuSecondsOf } from "../cpu.ts";
import { childrenOf } from "../processes.ts";
import { reapedCpuSeconds } from "./reaped-cpu.ts";
import { withPlace } from "./scene.ts";

/** Some time of a crash loop. */
export interface CrashWindow {
  readonly seconds: number;
  readonly crashes: number;
  /** Of the supervisor and of all workers it had. */
  readonly cpuSeconds: number;
  readonly logLines: number;
}

export interface CrashLoop {
  readonly workers: number;
  /** From the first crash until the delays have grown to their longest. */
  readonly ramp: CrashWindow;
  /** From there on. */
  readonly steady: CrashWindow;
}

const APP = fileURLToPath(new URL("./crash-app.ts", import.meta.url));
/** Eleven delays from 100 ms, doubled up to 40 s with four workers and 80 s with eight. */
const RAMP_MS = 103_000;
const STEADY_MS = 160_000;
const STARTED_WITHIN_MS = 20_000;

/** Lets every worker crash at its start from now on, and looks on. */
export async function measureCrashLoop(workers: number): Promise<CrashLoop> {
  return await withPlace({ isRecycling: false }, async (scope, { dir, socket }) => {
    const broken = join(dir, "broken");
    const program = startProgram(scope, {
      args: [
        ...[APP, "--socket", socket, "--ops", "127.0.0.1:0", "--access-log", "off"],
        ...["--workers", String(workers), "--min-ready", String(workers)],
      ],
      env: { COMPARE_BROKEN: broken },
    });
    const port = await program.opsPort();
    const allRan = (): true | undefined => program.workerPids().length === workers || undefined;
    await eventually(STARTED_WITHIN_MS, allRan, "all workers");
    writeFileSync(broken, "");
    for (const pid of program.workerPids()) process.kill(pid, "SIGKILL");
    const ramp = await watch(program, port, RAMP_MS);
    const steady = await watch(program, port, STEADY_MS);
    return { workers, ramp, steady };
  });
}

async function watch(program: Program, port: number, forMs: number): Promise<CrashWindow> {
  const before = await stateOf(program, port);
  await delay(forMs);
  const after = await stateOf(program, port);
  return {
    seconds: forMs / 1_000,
    crashes: after.crashes - before.crashes,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    logLines: after.logLines - before.logLines,
  };
}

async function stateOf(program: Program, port: number): Promise<Omit<CrashWindow, "seconds">> {
  const { pid } = program;
  const crashes = (await scrape(port)).sum("outrigger_worker_restarts_total", {
    reason: "start_failed",
  });
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const cpuSeconds = reapedCpuSeconds(stat) + cpuSecondsOf([pid, ...childrenOf(pid)]);
  return { crashes, cpuSeconds, logLines: program.lines.length };
}
