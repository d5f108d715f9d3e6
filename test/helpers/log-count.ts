import type { LogLine } from "./log-lines.ts";
import type { Program } from "./program.ts";

/** How often the program has logged this. */
export function timesLogged(program: Program, msg: string): number {
  return program.lines.filter((line) => line.msg === msg).length;
}

/** Resolves when the program has logged this so many times. */
export async function logged(program: Program, msg: string, times: number): Promise<void> {
  const isEnough = (line: LogLine): boolean =>
    line.msg === msg && timesLogged(program, msg) >= times;
  await program.line(isEnough, 30_000).catch((error: unknown) => {
    throw new Error(`"${msg}" was logged ${timesLogged(program, msg)} times, not ${times}`, {
      cause: error,
    });
  });
}

/** Resolves with the pids of the workers that are ready when so many have been. */
export async function everReady(program: Program, workers: number): Promise<number[]> {
  await logged(program, "worker ready", workers);
  return program.lines.flatMap(({ msg, pid }) =>
    msg === "worker ready" && typeof pid === "number" ? pid : [],
  );
}

/** Lines that tell of an error or worse. */
export function errorLines(program: Program): LogLine[] {
  return program.lines.filter(({ level = 0 }) => level >= 50);
}
