import type { StatusBody } from "../status-body.ts";
import { isSameRun, trafficBetween, type Traffic } from "./traffic.ts";

/** How far back sparklines reach. */
export const HISTORY_SECONDS = 120;
/** What rates and percentiles in figures are taken over. */
export const WINDOW_SECONDS = 10;
/** Answers farther apart than this have a gap between them: the tab was hidden, or the server silent. */
const GAP_SECONDS = 5;

/** What happened up to an instant since the answer before; `traffic` is undefined in a gap. */
export interface Moment {
  readonly atMs: number;
  readonly traffic: Traffic | undefined;
}

/** The answers of the last two minutes, the newest one last. */
export class History {
  #answers: StatusBody[] = [];

  add(answer: StatusBody): void {
    const fromMs = timeOf(answer) - (HISTORY_SECONDS + GAP_SECONDS) * 1000;
    // An answer from the future is one from before the clock was set back.
    const known = this.#answers.filter(
      (older) => timeOf(older) >= fromMs && timeOf(older) < timeOf(answer),
    );
    this.#answers = [...known, answer];
  }

  get newest(): StatusBody | undefined {
    return this.#answers.at(-1);
  }

  /** What the last seconds brought, for one endpoint or for all; undefined while that is not known. */
  recent(endpoint?: string): Traffic | undefined {
    const { newest } = this;
    if (newest === undefined) return undefined;
    const fromMs = timeOf(newest) - (WINDOW_SECONDS + 0.5) * 1000;
    const oldest = this.#answers.find(
      (answer) => timeOf(answer) >= fromMs && isSameRun(answer, newest),
    );
    return oldest && trafficBetween(oldest, newest, endpoint);
  }

  /** What each interval between two answers brought, the oldest first. */
  moments(endpoint?: string): Moment[] {
    return this.#answers.slice(1).map((newer, index) => {
      const older = this.#answers[index];
      const traffic = older && trafficBetween(older, newer, endpoint);
      const isGap = traffic === undefined || traffic.seconds > GAP_SECONDS;
      return { atMs: timeOf(newer), traffic: isGap ? undefined : traffic };
    });
  }
}

function timeOf(answer: StatusBody): number {
  return Date.parse(answer.taken_at);
}
