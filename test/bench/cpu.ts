import { readdirSync, readFileSync } from "node:fs";
import { errnoOf } from "../../src/errors.ts";

/** Time some processes have spent on a CPU, all their threads together, kernel included; nothing for one that is gone. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids
    .flatMap(threadsOf)
    .reduce((sum, schedstat) => sum + nanosecondsIn(schedstat) / 1e9, 0);
}

function threadsOf(pid: number): string[] {
  const threads = unlessGone(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads.map((thread) => `/proc/${pid}/task/${thread}/schedstat`);
}

function nanosecondsIn(schedstat: string): number {
  return Number(unlessGone(() => readFileSync(schedstat, "utf8"))?.split(" ")[0] ?? 0);
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
