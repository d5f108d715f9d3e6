import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { within } from "./deadline.ts";

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** (60 s) */
  readonly deadlineMs?: number;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const DEADLINE_MS = 60_000;

/** Runs a command to its end; one that takes too long is killed and fails the test. */
export async function tryCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const done = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  try {
    const what = `${command} ${args.join(" ")}`;
    const [, stdout, stderr] = await within(options.deadlineMs ?? DEADLINE_MS, done, what);
    return { code: child.exitCode, stdout, stderr };
  } catch (error) {
    done.catch(() => {});
    child.kill("SIGKILL");
    throw error;
  }
}

/** As `tryCommand`, for a command that has to exit with 0. Resolves with what it wrote to stdout. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await tryCommand(command, args, options);
  if (code === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")} exited with ${code}: ${stderr}${stdout}`);
}
