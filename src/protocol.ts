/**
 * What supervisor and worker say to each other. Commands are imperative and go to the worker;
 * reports are facts and come from it.
 */
import { inspect } from "node:util";
import type { Config } from "./config/config.ts";
import { OutriggerError, type ErrorDescription } from "./errors.ts";
import type { HealthReport, ProcessStats } from "./snapshot.ts";
import type { TlsCredentials } from "./tls/credentials.ts";

/** A bound socket handed to a worker. */
export interface ListenerGrant {
  /** Name of the endpoint in `config.endpoints`. */
  readonly endpoint: string;
  /** Descriptor in the worker's own table. */
  readonly descriptor: number;
}

/** A load report. */
export type LoadReport = Extract<Report, { readonly type: "load" }>;

/** Which connections a worker is to let go of. */
export interface ShedOrder {
  /** At most so many. */
  readonly connections: number;
  /** Part of the requests of the endpoint in this worker that they carry together, from 0 to 1; 1 takes a cross-section. */
  readonly share: number;
}

export interface StartCommand {
  readonly type: "start";
  readonly slot: number;
  readonly config: Config;
  readonly listeners: readonly ListenerGrant[];
  /** Descriptor of the memory that keeps the counts when the worker is gone, where there is such. */
  readonly counterDescriptor: number | undefined;
  /** Requests after which a snapshot is sent at once, for they may be enough; 0 is never. */
  readonly reportAfterRequests: number;
  /** Request target of our own end-to-end check, known to nobody else; answered without the app. */
  readonly checkTarget: string;
  /** By endpoint name, for those that speak TLS. */
  readonly credentials: Readonly<Record<string, TlsCredentials>>;
}

export type Command =
  | StartCommand
  /** Send a snapshot now. */
  | { readonly type: "report"; readonly id: number }
  /** Send how many connections are open on every endpoint. */
  | { readonly type: "report-load" }
  /** Stop accepting on an endpoint when so many connections are open. */
  | { readonly type: "limit"; readonly endpoint: string; readonly limit: number }
  /** Accept again; a handle of the listener comes with it. */
  | { readonly type: "reopen"; readonly endpoint: string; readonly limit: number }
  /** Let some connections of an endpoint end, each with its next response; replaces an order given before. */
  | ({ readonly type: "shed"; readonly endpoint: string } & ShedOrder)
  /** Prove yourself with these on connections that come from now on. */
  | { readonly type: "renew"; readonly endpoint: string; readonly credentials: TlsCredentials }
  /** Close the inspector, which was opened to read the stack. */
  | { readonly type: "close-inspector" }
  /** From now on every response says `Connection: close`. */
  | { readonly type: "announce-close" }
  /** Stop accepting, finish what is in flight until `deadlineMs`, stop the app, reply `drained`, exit. Sent again, only an earlier deadline counts. */
  | { readonly type: "drain"; readonly deadlineMs: number };

/** What the event loop of a worker has done since it began to turn. */
export interface LoopStats {
  readonly activeMs: number;
  /** Time spent waiting for something to happen. */
  readonly idleMs: number;
  readonly iterations: number;
  /** Sockets and the like that were found ready. */
  readonly events: number;
}

/** Cumulative numbers of one worker. */
export interface WorkerSnapshot {
  /** Slots of `EndpointCounters`, by endpoint name. */
  readonly counters: Readonly<Record<string, Float64Array>>;
  readonly health: HealthReport | undefined;
  readonly process: ProcessStats;
  readonly loop: LoopStats;
  /** Why its stack cannot be read, should its loop be blocked; absent when it can. */
  readonly unreadable?: string;
}

export type Report =
  /** The app has started and every listener accepts. */
  | { readonly type: "ready" }
  /** The worker cannot go on; it exits next. */
  | { readonly type: "failed"; readonly error: ErrorDescription }
  /** `answers` is the id of the `report` command, absent when nobody asked. */
  | { readonly type: "snapshot"; readonly snapshot: WorkerSnapshot; readonly answers?: number }
  /** Connections open on an endpoint; `isShut` when the worker has closed its copy of the listener. */
  | {
      readonly type: "load";
      readonly endpoint: string;
      readonly connections: number;
      readonly isShut: boolean;
    }
  /** Everything is closed and the app has stopped; `forced` connections had to be cut. */
  | { readonly type: "drained"; readonly snapshot: WorkerSnapshot; readonly forced: number };

const COMMAND_TYPES = [
  "start", "report", "report-load", "limit", "reopen", "shed", "renew", "close-inspector",
  "announce-close", "drain",
] satisfies Command["type"][]; // prettier-ignore
const REPORT_TYPES = ["ready", "failed", "snapshot", "load", "drained"] satisfies Report["type"][];

/** Checks that a message is a command; both ends are one build, so its kind vouches for its fields. */
export function parseCommand(message: unknown): Command {
  if (hasType(message, COMMAND_TYPES)) return message as Command;
  throw new OutriggerError(
    "ERR_PROTOCOL",
    `Cannot parse command ${quote(message)}: expected one of ${COMMAND_TYPES.join(", ")}`,
  );
}

/** Checks that a message is a report. */
export function parseReport(message: unknown): Report {
  if (hasType(message, REPORT_TYPES)) return message as Report;
  throw new OutriggerError(
    "ERR_PROTOCOL",
    `Cannot parse report ${quote(message)}: expected one of ${REPORT_TYPES.join(", ")}`,
  );
}

function hasType(message: unknown, types: readonly string[]): boolean {
  return (
    typeof message === "object" &&
    message !== null &&
    "type" in message &&
    typeof message.type === "string" &&
    types.includes(message.type)
  );
}

function quote(message: unknown): string {
  return inspect(message, { breakLength: Infinity }).slice(0, 200);
}
