import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { BehindResponses } from "./behind-responses.ts";
import type { EngineEvents } from "./engine.ts";
import { answerAndHangUp } from "./hang-up.ts";
import { measureBytes } from "./measure-bytes.ts";
import type { ParseFailure } from "./parse-failure.ts";
import { formatRefusal, type Refusal, type Refused } from "./refusal.ts";
import { responseOn } from "./response-on.ts";

/** The response to a request that the app is not given. */
interface UnusedResponse extends ServerResponse {
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
}

/** What is known of what was asked. */
type Asked = Pick<Refused, "request" | "line">;

/** Answers in the place of the app what the app is never given, hangs up, and tells of it. */
export class Refuser {
  readonly #events: Pick<EngineEvents, "rejected" | "refused">;
  readonly #behindResponses = new BehindResponses();

  constructor(events: Pick<EngineEvents, "rejected" | "refused">) {
    this.#events = events;
  }

  /** Whether this connection is to be refused once it has its responses. */
  isWaiting(socket: Duplex): boolean {
    return this.#behindResponses.isWaiting(socket);
  }

  /** Answers a request that is none, or too much of one; node:http would do it by itself, and nobody would count it. */
  refuse(refusal: Refusal, request: IncomingMessage, response: UnusedResponse): void {
    const { socket } = request;
    this.#events.rejected(refusal.reason);
    const tell = (bytesSent: number): void =>
      this.#events.refused({
        refusal,
        socket,
        request,
        bytesSent,
        durationSeconds: (performance.now() - response.startedAt) / 1_000,
      });
    // Its body is of no use, but a peer that sends it must get to read our answer.
    request.resume();
    if (response.socket === socket) {
      const answer = formatRefusal(refusal);
      answerAndHangUp(socket, answer);
      tell(answer.length);
      return;
    }
    // Responses to what was asked before come first.
    response.on("close", () => tell(measureBytes(socket)));
    response.shouldKeepAlive = false;
    response.statusCode = refusal.status;
    response.end();
  }

  /** Answers on a connection that node:http does not have, or has given away with a request. */
  refuseConnection(refusal: Refusal, socket: Socket, asked: Asked = {}): void {
    const answer = formatRefusal(refusal);
    this.#events.rejected(refusal.reason);
    answerAndHangUp(socket, answer);
    this.#events.refused({ ...asked, refusal, socket, bytesSent: answer.length });
  }

  /**
   * Answers what could not be read, behind the responses to what was asked before.
   *
   * @param onUnfinished Called instead when it is the rest of a request that the app has: its response may never come.
   */
  refuseUnread({ refusal, line }: ParseFailure, socket: Duplex, onUnfinished: () => void): void {
    this.#behindResponses.run(socket, () => {
      if (responseOn(socket) !== undefined && !socket.destroyed) return onUnfinished();
      this.#events.rejected(refusal.reason);
      const answer = socket.writable ? formatRefusal(refusal) : "";
      if (answer !== "") answerAndHangUp(socket, answer);
      this.#events.refused({ refusal, line, socket, bytesSent: answer.length });
    });
  }
}
