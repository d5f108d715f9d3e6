const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;
/** Failures from which on the delay is the longest. */
const LONGEST_FROM = 2 + Math.ceil(Math.log2(LONGEST_DELAY_MS / FIRST_DELAY_MS));
/** A worker that served this long has not failed to start: its end opens a new account. */
export const LIVED_LONG_MS = 10_000;
/** Ends in a row that make a crash loop. */
const FAILING_AFTER = 3;
/** Random share by which a delay is shortened, so that slots do not fail in step. */
const JITTER = 0.2;

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
 * doubled at every further failure up to 30 s.
 *
 * @param livedMs How long the worker that ended had been ready.
 * @param random A number from 0 to 1.
 */
export function planRestart(account: RestartAccount, livedMs: number, random: number): RestartPlan {
  const failures = livedMs >= LIVED_LONG_MS ? 1 : account.failures + 1;
  return {
    delayMs: Math.round(backoffOf(failures) * (1 - JITTER * random)),
    account: { failures },
    isNews: failures <= LONGEST_FROM || (failures - LONGEST_FROM) % NEWS_EVERY === 0,
  };
}

function backoffOf(failures: number): number {
  return failures === 1 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (failures - 2), LONGEST_DELAY_MS);
}

/** Whether workers have failed so often in a row that the next one is not to be counted on. */
export function isFailing({ failures }: RestartAccount): boolean {
  return failures >= FAILING_AFTER;
}

/** Whether replacing has failed so often that only a restart of the whole process may help. */
export function isHopeless(account: RestartAccount): boolean {
  return account.failures > 2 && FIRST_DELAY_MS * 2 ** (account.failures - 2) > LONGEST_DELAY_MS;
}
