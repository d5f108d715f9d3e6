import type { Socket } from "node:net";
import type { EndpointCounters } from "../counters.ts";
import { answerAndHangUp } from "../http/hang-up.ts";
import { formatRefusal, OVERLOADED } from "../http/refusal.ts";
import { readRequestLine } from "../http/request-line.ts";
import { SILENT_MS } from "./connections.ts";
import type { RequestRecorder } from "./request-recorder.ts";

export interface TurnAwayOptions {
  /** Target of our own check, which is turned away as well. */
  readonly checkTarget: string;
  /** Told once it is certain that it was a client: by what it asks for, by its silence, or when it goes. */
  readonly counters: EndpointCounters;
  readonly recorder: RequestRecorder;
}

/** Answers a connection that there is no room for with 503, and hangs up. */
export function turnAway(socket: Socket, options: TurnAwayOptions): void {
  // Asked now: who has left cannot be named any more.
  void socket.remoteAddress;
  const answer = formatRefusal(OVERLOADED);
  const judge = (begin: string): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("close", onSilent);
    if (begin.includes(options.checkTarget)) return;
    const line = readRequestLine(begin);
    options.counters.countRejected(OVERLOADED.reason);
    options.recorder.recordRefused({ refusal: OVERLOADED, socket, line, bytesSent: answer.length });
  };
  const onData = (bytes: Buffer): void => judge(bytes.toString("latin1"));
  const onSilent = (): void => judge("");
  const timer = setTimeout(onSilent, SILENT_MS).unref();
  socket.on("data", onData).on("close", onSilent);
  answerAndHangUp(socket, answer);
}
