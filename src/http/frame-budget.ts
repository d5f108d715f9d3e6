import type { ServerHttp2Session } from "node:http2";
import { performance } from "node:perf_hooks";
import { ENHANCE_YOUR_CALM } from "./http2-codes.ts";

/** More than a client sends that measures its connection with a PING for every round trip. */
const BURST = 5_000;
const PER_SECOND = 1_000;

/** Code of the error that a session is ended with for that. */
export const FRAME_FLOOD = "ERR_HTTP2_FRAME_FLOOD";

/** How many frames a peer may send that ask for nothing but an acknowledgement. */
export class FrameBudget {
  #left = BURST;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Takes one; false when none was left. */
  spend(nowMs: number): boolean {
    const earned = ((nowMs - this.#sinceMs) * PER_SECOND) / 1_000;
    this.#left = Math.min(BURST, this.#left + earned) - 1;
    this.#sinceMs = nowMs;
    return this.#left >= 0;
  }
}

/** What a session fails with whose budget is spent; known by the code, as failures of Node are. */
class FrameFlood extends Error {
  readonly code: string = FRAME_FLOOD;

  constructor() {
    super("Too many PING and SETTINGS frames");
  }
}

/** Ends a session that wants acknowledgements all the time; Node only minds those that are not taken. */
export function boundFloods(session: ServerHttp2Session): void {
  const budget = new FrameBudget(performance.now());
  const spend = (): void => {
    if (session.destroyed || budget.spend(performance.now())) return;
    session.destroy(new FrameFlood(), ENHANCE_YOUR_CALM);
  };
  session.on("ping", spend).on("remoteSettings", spend);
}
