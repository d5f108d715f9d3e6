import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { App } from "../app/app.ts";
import type { HttpConfig } from "../config/config.ts";
import type { RequestLimits } from "../config/limits.ts";
import type { CloseReason, RejectReason } from "../counters.ts";
import type { Refused } from "./refusal.ts";
import type { Upgrades } from "./upgrades.ts";

/** One ended request, as metrics and the access log want it. */
export interface Exchange {
  readonly method: string | undefined;
  /** The request target as it was sent; the client chose it. */
  readonly target: string | undefined;
  /** What was sent; 499 when the connection ended before the response was complete. */
  readonly status: number;
  readonly httpVersion: string;
  /** Bytes sent, the head included; 0 unless `measureBytes` is set. */
  readonly bytesSent: number;
  readonly durationSeconds: number;
  /** Why we answered in the place of the app, which had begun; undefined when it was the app's answer. */
  readonly refusedFor: RejectReason | undefined;
  /** When it ended, on the clock of `performance.now()`, in milliseconds. */
  readonly endedAt: number;
  readonly request: IncomingMessage;
}

/** What an engine tells while it turns connections into requests. */
export interface EngineEvents {
  requestStarted(socket: Socket): void;
  requestEnded(exchange: Exchange): void;
  /** We answered ourselves, and the connection is closing; the request is one that ends, or comes with `refused`. */
  rejected(reason: RejectReason): void;
  /** We answered ourselves what the app was never given. */
  refused(refused: Refused): void;
  /** A connection goes on under another socket; false when it is gone by now. */
  succeeded(socket: Socket, successor: Socket): boolean;
  /** We ended a connection for what its peer sent, without an answer that HTTP could read. */
  ended(socket: Socket, reason: RejectReason, error: Error): void;
  /** Our own end-to-end check came in on this connection and was answered. */
  checked(socket: Socket): void;
  /** Why this connection will have closed, for only the engine knows; until it says otherwise. */
  closing(socket: Socket, reason: CloseReason): void;
  /** The response to a request on this connection is going to announce its end, because `shed` wanted it. */
  shed(socket: Socket): void;
}

export interface EngineOptions {
  readonly app: App;
  readonly http: HttpConfig;
  readonly limits: RequestLimits;
  readonly events: EngineEvents;
  /** Told of every connection that the app takes over. */
  readonly upgrades: Upgrades;
  /** Request target of the end-to-end check, which never reaches the app. */
  readonly checkTarget: string;
  /** Whether `Exchange.bytesSent` is wanted. */
  readonly measureBytes: boolean;
}

/** Turns accepted connections of one endpoint into requests for the app. */
export interface HttpEngine {
  /** Takes over a connection that was just accepted. */
  serve(socket: Socket): void;
  /** From now on every response says `Connection: close`. */
  announceClose(): void;
  /** The response to the next request on each of these connections says `Connection: close`; those chosen before are spared. */
  shed(sockets: Iterable<Socket>): void;
  /** Closes connections that are between two requests. */
  closeIdleConnections(): void;
  /** Lets go of timers; its connections live on until they end. */
  close(): void;
}
