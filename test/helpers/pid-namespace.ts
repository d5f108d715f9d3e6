import { readFileSync } from "node:fs";
import type { Program } from "./program.ts";

/** Makes the command after it the first process of a pid namespace of its own, as a container does. */
export const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc"] as const;

/** As `UNSHARE`, with another program in the place of the shell; /dev/null leaves none. */
export function unshareWithShell(shell: string): string[] {
  const script = `mount --bind "$0" "$(readlink -f /bin/sh)" && exec "$@"`;
  return [...UNSHARE, "bash", "-c", script, shell];
}

/** The first process in the namespace of a program that was started by `unshare`. */
export function firstProcessOf(program: Program): number {
  const [pid] = childrenOf(program.pid);
  if (pid === undefined) throw new Error("unshare has no child");
  return pid;
}

/** Children of a process, those included that were adopted or wait to be reaped. */
export function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
  return list.split(" ").filter(Boolean).map(Number);
}
