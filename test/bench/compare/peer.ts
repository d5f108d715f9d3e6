import type { ExitResult } from "../../helpers/process-group.ts";
import type { Scope } from "../../helpers/scope.ts";

/** The servers that are compared, in the order of the tables. */
export const PEER_NAMES = ["outrigger", "cluster", "pm2", "gunicorn"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** Workers of every server. */
export const WORKERS = 2;

/** Requests after which a worker is replaced, where that is measured. */
export const MAX_REQUESTS = 200;

/** Where a server runs. */
export interface Place {
  /** Everything goes here. */
  readonly dir: string;
  /** Path of the Unix socket it serves. */
  readonly socket: string;
  /** Where its workers leave their notes. */
  readonly notes: string;
  /** Whether workers are to be replaced after some requests. */
  readonly isRecycling: boolean;
}

/** A server that serves. */
export interface RunningPeer {
  /** Workers that serve, the oldest first. */
  workers(): readonly number[];
  /** Asks for new workers in place of all there are. */
  reload(): Promise<void>;
  /** Sends TERM to the first process and resolves when it is gone. */
  terminate(): Promise<ExitResult>;
  /** Kills all its processes at once. */
  killAll(): Promise<void>;
}

/** One of the servers. */
export interface Peer {
  readonly name: PeerName;
  /** With its version and how it is set up. */
  readonly title: string;
  /** It can replace a worker after some requests. */
  readonly canRecycle: boolean;
  /** Starts it; it ends with the scope. Resolves when all its workers serve. */
  start(scope: Scope, place: Place): Promise<RunningPeer>;
  /** Starts a second one that takes over from the first; absent where there is no such thing. */
  takeOver?(scope: Scope, place: Place, running: RunningPeer): Promise<RunningPeer | "unknown">;
}
