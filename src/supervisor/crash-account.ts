import {
  FRESH_ACCOUNT,
  isFailing,
  isHopeless,
  LIVED_LONG_MS,
  planRestart,
  type RestartAccount,
  type RestartPlan,
  type WorkerEnd,
} from "./restart-policy.ts";

/** What a slot remembers of workers that ended soon after their start, and how much of it the log has to hear. */
export class CrashAccount {
  #account: RestartAccount = FRESH_ACCOUNT;
  /** Its workers end again and again, and not each time is worth a log line. */
  #isQuiet = false;

  /** Ends in a row. */
  get failures(): number {
    return this.#account.failures;
  }

  /** The next worker is not to be counted on. */
  get isFailing(): boolean {
    return isFailing(this.#account);
  }

  /** Only a restart of the whole process may help. */
  get isHopeless(): boolean {
    return isHopeless(this.#account);
  }

  /** The log is told of some ends only. */
  get isQuiet(): boolean {
    return this.#isQuiet;
  }

  /** Notes the end of a worker; tells when to try again. */
  note(end: WorkerEnd): RestartPlan {
    const plan = planRestart(this.#account, end);
    this.#account = plan.account;
    this.#isQuiet = plan.account.failures > 1 && !plan.isNews;
    return plan;
  }

  /** Forgets what was before, once a worker stays; `true` when there was something to forget. */
  settle(livedMs: number): boolean {
    if (this.failures === 0 || livedMs < LIVED_LONG_MS) return false;
    this.#account = FRESH_ACCOUNT;
    this.#isQuiet = false;
    return true;
  }
}
