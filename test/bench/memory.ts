import { readFileSync } from "node:fs";

/** Memory of one process, in MB (10⁶ bytes). */
export interface Memory {
  /** All pages it has in memory, shared ones included. */
  readonly rssMb: number;
  /** Its share: a page that n processes have counts 1/n. */
  readonly pssMb: number;
}

/** Reads the memory of a process; needs the right to look into it. */
export function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return { rssMb: field(rollup, "Rss"), pssMb: field(rollup, "Pss") };
}

function field(rollup: string, name: string): number {
  const [, kibibytes] = new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup) ?? [];
  return (Number(kibibytes) * 1024) / 1e6;
}
