import { readCpuQuota, type ReadFile } from "./cgroup.ts";

/**
 * Workers that the CPUs granted to us can keep busy, at least 1: those we may run on, or the quota
 * of our cgroups where that is less, rounded to the nearest whole number.
 *
 * Not `os.availableParallelism()` alone: libuv finds no quota where cgroups of version 1 mount the
 * controller by itself, or beside version 2, and rounds 1.9 CPUs down to one.
 *
 * @param fallback CPUs where the system does not say which we may run on.
 */
export function countCpus(readFile: ReadFile, fallback: number): number {
  const allowed = countAllowed(readFile) ?? fallback;
  const granted = Math.min(allowed, readCpuQuota(readFile) ?? Infinity);
  return Math.max(1, Math.round(granted));
}

/** From `0-3,8`: by affinity or cpuset. */
function countAllowed(readFile: ReadFile): number | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readStatus(readFile))?.[1];
  return list?.split(",").reduce((count, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return count + last - first + 1;
  }, 0);
}

function readStatus(readFile: ReadFile): string {
  try {
    return readFile("/proc/self/status");
  } catch {
    return "";
  }
}
