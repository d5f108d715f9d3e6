import { readdirSync, readFileSync } from "node:fs";

/** Time some processes have spent on a CPU, all their threads together, kernel included. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids
    .flatMap(threadsOf)
    .reduce((sum, schedstat) => sum + nanosecondsIn(schedstat) / 1e9, 0);
}

function threadsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`);
}

function nanosecondsIn(schedstat: string): number {
  return Number(readFileSync(schedstat, "utf8").split(" ")[0]);
}
