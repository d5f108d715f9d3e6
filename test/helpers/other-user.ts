import { startProgram, type Program, type ProgramOptions } from "./program.ts";
import type { Scope } from "./scope.ts";

/** A user who owns nothing (nobody). */
export const NOBODY = 65_534;

/** Starts the program as a user without privileges, which only root can; the pid stays the program's own. */
export function startProgramAs(scope: Scope, uid: number, options: ProgramOptions): Program {
  return startProgram(scope, {
    ...options,
    node: "setpriv",
    nodeArgs: [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", process.execPath],
  });
}
