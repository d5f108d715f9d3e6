import type { ServerHttp2Session } from "node:http2";
import type { RejectReason } from "../counters.ts";
import { errnoOf } from "../errors.ts";
import { FRAME_FLOOD } from "./frame-budget.ts";
import { RESET_BURST, RESETS_PER_SECOND } from "./session-limits.ts";

/** How a session stood when it was ended. */
export interface SessionState {
  /** Open streams. */
  readonly streams: number;
  readonly maxStreams: number;
  readonly resets: Resets;
}

/** Too many streams that Node refuses, too many frames of no use, too many parts of one head. */
const FLOODS: readonly unknown[] = [-902, -904, -905];

/**
 * Tells at once when a session fails for what was said in it. Its own `error` comes when the connection
 * has closed, which a peer that does not read can put off for ever.
 */
export function onSessionFailure(
  session: ServerHttp2Session,
  failed: (error: Error) => void,
): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (error, code) => {
    if (!session.destroyed && isSessionFailure(error)) failed(error);
    destroy(error, code);
  };
}

function isSessionFailure(error: unknown): error is Error {
  return error instanceof Error && errnoOf(error)?.startsWith("ERR_HTTP2_") === true;
}

/** Why we ended a session of HTTP/2, if it was us: a peer that says goodbye with an error of its own was not refused. */
export function readSessionFailure(error: Error, state: SessionState): RejectReason | undefined {
  const code = errnoOf(error);
  if (code === "ERR_HTTP2_TOO_MANY_INVALID_FRAMES" || code === FRAME_FLOOD) return "flood";
  if (code !== "ERR_HTTP2_ERROR") return undefined;
  if ("errno" in error && FLOODS.includes(error.errno)) return "flood";
  // For these two nghttp2 has no words of their own.
  if (state.resets.isFlood) return "flood";
  return state.streams >= state.maxStreams ? "max_streams" : "protocol_error";
}

/** Streams that a peer has lately taken back, as nghttp2 counts them: so many at once, so many a second. */
export class Resets {
  #level = 0;
  #atMs = 0;

  /** Counts one more, on the clock of `performance.now()`. */
  count(nowMs: number): void {
    const forgiven = ((nowMs - this.#atMs) / 1_000) * RESETS_PER_SECOND;
    this.#level = Math.max(this.#level - forgiven, 0) + 1;
    this.#atMs = nowMs;
  }

  /** Half of what ends a session: it is known by then that it was ended, and our clock is not that of nghttp2. */
  get isFlood(): boolean {
    return this.#level >= RESET_BURST / 2;
  }
}
