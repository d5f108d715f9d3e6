import { startProgram, type ProgramOptions } from "./program.ts";
import type { ExitResult } from "./process-group.ts";
import type { Scope } from "./scope.ts";

export interface Run extends ExitResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program to its end. */
export async function runProgram(
  scope: Scope,
  args: readonly string[],
  options: Omit<ProgramOptions, "args"> = {},
): Promise<Run> {
  const program = startProgram(scope, { ...options, args });
  const exit = await program.exit();
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}
