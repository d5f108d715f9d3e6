/** How bad it is: `warn` works, but not as one would wish; `fail` does not work. */
export type Level = "ok" | "warn" | "fail";

/** One thing a check has found out. */
export interface Finding {
  readonly level: Level;
  /** What it is about: an endpoint or a setting. */
  readonly about: string;
  readonly text: string;
  /** What to change; absent where nothing is wrong. */
  readonly change?: string;
}

/** Writes a finding as one line. */
export function formatFinding({ level, about, text, change }: Finding): string {
  const advice = change === undefined ? "" : `; ${change}`;
  return `${level.padEnd(4)}  ${about}: ${text}${advice}`;
}
