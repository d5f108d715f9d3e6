import type { Failure } from "./client.ts";

/**
 * What became of failed requests.
 * - `executing`: a worker had begun with it and did not end it.
 * - `sent`: it was written to a connection on which nobody began with it.
 * - `refused`: no connection could be made, so no server had it.
 */
export const FATES = ["executing", "sent", "refused"] as const;
export type Fate = (typeof FATES)[number];

export interface Evidence {
  /** Requests that some worker began and did not end. */
  readonly unfinished: ReadonlySet<string>;
  /** What nginx logged about its upstream. */
  readonly errorLog: string;
}

/** Counts failures by what became of them. */
export function countFates(
  failures: readonly Failure[],
  evidence: Evidence,
): Readonly<Record<Fate, number>> {
  const refused = neverConnected(evidence.errorLog);
  const counts = { executing: 0, sent: 0, refused: 0 };
  for (const { id } of failures) {
    if (evidence.unfinished.has(id)) counts.executing += 1;
    else if (refused.has(id)) counts.refused += 1;
    else counts.sent += 1;
  }
  return counts;
}

/** Requests of which nginx says nothing but that it could not connect. */
export function neverConnected(errorLog: string): ReadonlySet<string> {
  const connects = new Map<string, boolean>();
  for (const line of errorLog.split("\n")) {
    const [, id] = /, request: "\w+ \/(\S+) /.exec(line) ?? [];
    if (id === undefined || !/ \[(?:error|crit|alert)\] /.test(line)) continue;
    connects.set(id, (connects.get(id) ?? true) && line.includes(" connect() to "));
  }
  return new Set([...connects].filter(([, isOnly]) => isOnly).map(([id]) => id));
}

/** `502 × 3, ECONNRESET × 1`: how the client saw them. */
export function describeProblems(failures: readonly Failure[]): string {
  const counts = new Map<string, number>();
  for (const { problem } of failures) counts.set(problem, (counts.get(problem) ?? 0) + 1);
  return [...counts].map(([problem, count]) => `${problem} × ${count}`).join(", ");
}
