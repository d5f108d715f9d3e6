import type { Socket } from "node:net";
import { answerAndHangUp } from "../http/hang-up.ts";
import { formatRefusal, OVERLOADED, type Refused } from "../http/refusal.ts";
import { readRequestLine } from "../http/request-line.ts";
import { SILENT_MS } from "./connections.ts";

export interface TurnAwayOptions {
  /** Target of our own check, which is turned away as well. */
  readonly checkTarget: string;
  /** Called once it is certain that it was a client: by what it asks for, by its silence, or when it goes. */
  readonly onClient: (refused: Refused) => void;
}

/** Answers a connection that there is no room for with 503, and hangs up. */
export function turnAway(socket: Socket, { checkTarget, onClient }: TurnAwayOptions): void {
  const answer = formatRefusal(OVERLOADED);
  const judge = (begin: string): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("close", onSilent);
    if (begin.includes(checkTarget)) return;
    const line = readRequestLine(begin);
    onClient({ refusal: OVERLOADED, socket, line, bytesSent: answer.length });
  };
  const onData = (bytes: Buffer): void => judge(bytes.toString("latin1"));
  const onSilent = (): void => judge("");
  const timer = setTimeout(onSilent, SILENT_MS).unref();
  socket.on("data", onData).on("close", onSilent);
  answerAndHangUp(socket, answer);
}
