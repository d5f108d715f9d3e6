import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRunning } from "../processes.ts";

/** Where a worker notes `+id` when it begins with a request and `-id` when the answer is with the kernel. */
export function noteFile(dir: string, pid: number): string {
  return join(dir, `${pid}.log`);
}

/** Leaves word that a worker serves, for those whose server does not say so. */
export function noteReady(dir: string, pid: number): void {
  writeFileSync(join(dir, `${pid}.ready`), "");
}

/** Workers that run and left word that they serve, the oldest first. */
export function readyWorkers(dir: string): number[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith(".ready"))
    .map((name) => Number(name.slice(0, -".ready".length)))
    .filter(isRunning)
    .toSorted((a, b) => a - b);
}

/** Requests that a worker began and did not end. */
export function unfinishedBy(dir: string, pid: number): ReadonlySet<string> {
  const path = noteFile(dir, pid);
  return existsSync(path) ? unfinishedIn(readFileSync(path, "utf8")) : new Set();
}

/** Requests that some worker began and did not end. */
export function unfinishedByAny(dir: string): ReadonlySet<string> {
  const logs = readdirSync(dir).filter((name) => name.endsWith(".log"));
  return new Set(logs.flatMap((name) => [...unfinishedIn(readFileSync(join(dir, name), "utf8"))]));
}

/** Ids with a `+` line and no `-` line. */
export function unfinishedIn(notes: string): ReadonlySet<string> {
  const open = new Set<string>();
  for (const line of notes.split("\n")) {
    if (line.startsWith("+")) open.add(line.slice(1));
    else if (line.startsWith("-")) open.delete(line.slice(1));
  }
  return open;
}

/** How many workers have loaded the app so far. */
export function workersSeen(dir: string): number {
  return readdirSync(dir).filter((name) => name.endsWith(".log")).length;
}
