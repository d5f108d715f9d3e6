const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;
/** All slots together start no more than one worker in that time: a start costs up to a third of a second of a core. */
const START_EVERY_MS = 10_000;
/** A worker that served this long has not failed to start: its end opens a new account. */
export const LIVED_LONG_MS = 10_000;
/** Ends in a row that make a crash loop. */
const FAILING_AFTER = 3;
/** Random share by which a delay is shortened, so that slots do not fail in step. */
const JITTER = 0.2;

/** An end of a worker, as far as it matters for the next. */
export interface WorkerEnd {
  /** How long the worker had been ready. */
  readonly livedMs: number;
  /** A number from 0 to 1. */
  readonly random: number;
  /** Slots that may be failing just like this one, itself included. */
  readonly slots: number;
}

/** What a slot remembers of the workers that filled it. */
export interface RestartAccount {
  /** Ends in a row that came soon after the start. */
  readonly failures: number;
}

export const FRESH_ACCOUNT: RestartAccount = { failures: 0 };

export interface RestartPlan {
  readonly delayMs: number;
  readonly account: RestartAccount;
  /** Worth a log line: the wait has grown, or it is the tenth time that it is as long as can be. */
  readonly isNews: boolean;
}

/** Of ends that come at the longest delay, one in so many is news. */
const NEWS_EVERY = 10;

/**
 * Decides how long to wait before a slot is filled again: not at all the first time, then 100 ms,
 * doubled at every further failure up to 30 s, or 10 s for each slot if that is more.
 */
export function planRestart(account: RestartAccount, end: WorkerEnd): RestartPlan {
  const failures = end.livedMs >= LIVED_LONG_MS ? 1 : account.failures + 1;
  const longestMs = Math.max(LONGEST_DELAY_MS, START_EVERY_MS * end.slots);
  const longestFrom = 2 + Math.ceil(Math.log2(longestMs / FIRST_DELAY_MS));
  const backoffMs = failures === 1 ? 0 : Math.min(growing(failures), longestMs);
  return {
    delayMs: Math.round(backoffMs * (1 - JITTER * end.random)),
    account: { failures },
    isNews: failures <= longestFrom || (failures - longestFrom) % NEWS_EVERY === 0,
  };
}

function growing(failures: number): number {
  return FIRST_DELAY_MS * 2 ** (failures - 2);
}

/** Whether workers have failed so often in a row that the next one is not to be counted on. */
export function isFailing({ failures }: RestartAccount): boolean {
  return failures >= FAILING_AFTER;
}

/** Whether replacing has failed so often that only a restart of the whole process may help. */
export function isHopeless({ failures }: RestartAccount): boolean {
  return failures > 2 && growing(failures) > LONGEST_DELAY_MS;
}
