import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { HttpVersions } from "../config/config.ts";
import type { EndpointCounters } from "../counters.ts";
import { lookAtFirstBytes } from "../http/first-bytes.ts";
import { answerAndHangUp } from "../http/hang-up.ts";
import { isPreface } from "../http/preface.ts";
import { formatRefusal, OVERLOADED } from "../http/refusal.ts";
import { refuseSession } from "../http/refuse-session.ts";
import { readRequestLine, type RequestLine } from "../http/request-line.ts";
import { SILENT_MS } from "./connections.ts";
import type { RequestRecorder } from "./request-recorder.ts";

export interface TurnAwayOptions {
  /** Target of our own check, which is turned away as well. */
  readonly checkTarget: string;
  /** What the endpoint speaks. */
  readonly versions: HttpVersions;
  /** Told once it is certain that it was a client: by what it asks for, by its silence, or when it goes. */
  readonly counters: EndpointCounters;
  readonly recorder: RequestRecorder;
}

const ANSWER = formatRefusal(OVERLOADED);

/** Answers a connection that there is no room for with 503, in the version it speaks, and hangs up. */
export function turnAway(socket: Socket, options: TurnAwayOptions): void {
  // Asked now: who has left cannot be named any more.
  void socket.remoteAddress;
  const tell = (line?: RequestLine): void => {
    options.counters.countRejected(OVERLOADED.reason);
    options.recorder.recordRefused({
      refusal: OVERLOADED,
      socket,
      line,
      bytesSent: ANSWER.length,
    });
  };
  const inText = (): void => answerInText(socket, options.checkTarget, tell);
  const inSession = (): void => refuseSession(socket, OVERLOADED, tell);
  const { versions } = options;
  if (socket instanceof TLSSocket) {
    if (socket.alpnProtocol === "h2") inSession();
    else inText();
  } else if (versions === "1") inText();
  else askVersion(socket, { inText, inSession, gone: tell });
}

interface Answers {
  readonly inText: () => void;
  readonly inSession: () => void;
  /** The client has left. */
  readonly gone: () => void;
}

/** Waits for the first bytes; who is silent for a while is answered in text. */
function askVersion(socket: Socket, { inText, inSession, gone }: Answers): void {
  const onClose = (): void => {
    clearTimeout(timer);
    gone();
  };
  const answer = (isSecond: boolean): void => {
    clearTimeout(timer);
    socket.off("close", onClose);
    if (isSecond) inSession();
    else inText();
  };
  const stop = lookAtFirstBytes(socket, { judge: isPreface, decided: answer });
  const timer = setTimeout(() => {
    stop();
    answer(false);
  }, SILENT_MS).unref();
  socket.once("close", onClose);
}

function answerInText(
  socket: Socket,
  checkTarget: string,
  tell: (line?: RequestLine) => void,
): void {
  const judge = (begin: string): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("close", onSilent);
    if (!begin.includes(checkTarget)) tell(readRequestLine(begin));
  };
  const onData = (bytes: Buffer): void => judge(bytes.toString("latin1"));
  const onSilent = (): void => judge("");
  const timer = setTimeout(onSilent, SILENT_MS).unref();
  socket.on("data", onData).on("close", onSilent);
  answerAndHangUp(socket, ANSWER);
}
