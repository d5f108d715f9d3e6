import type { Endpoint } from "../config/config.ts";
import type { ListeningSocket } from "./descriptor-socket.ts";

/** What `net.connect` needs to reach a listener from inside the pod. */
export type ConnectTarget =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** What the end-to-end check wants: that a worker of ours serves, or only that somebody has accepted, be it to say 503. */
export type Wanted = "served" | "accepted";

/** Sends one request through a listener and resolves when it was answered. */
export type EndToEndCheck = (
  target: ConnectTarget,
  signal: AbortSignal,
  wanted?: Wanted,
) => Promise<void>;

/** A bound socket for one endpoint. Nothing here accepts: that is the workers' part. */
export interface Listener {
  readonly endpoint: Endpoint;
  /** As people write it, the port the system chose filled in. */
  readonly address: string;
  /** The socket to hand to workers. */
  readonly socket: ListeningSocket;
  /** Reaches this very socket, also while it has no public name; undefined where it is not for us to connect. */
  readonly connectTarget: ConnectTarget | undefined;
  /** Path of bind time as `/proc/net/unix` shows it; undefined where the kernel keeps no such account. */
  readonly kernelName: string | undefined;
  /** Why the endpoint cannot be reached; undefined when it can. */
  readonly problem: string | undefined;
  /** Makes the endpoint reachable by its public name; resolves to what stood there before. */
  publish(): Promise<Published>;
  /** Looks whether the public name is still ours, and puts it back where its place is free. */
  guard(): Promise<GuardFinding>;
  /** Takes the public name away if it is ours; the socket itself still accepts. */
  withdraw(): Promise<void>;
  /** Lets go of our copy of the socket: once the workers have too, connecting is refused. */
  letGo(): void;
  /** Closes the socket and removes all that we made; from then on `problem` is the one given. Idempotent. */
  close(problem?: string): Promise<void>;
  /** Removes our files at once, for a process that is already exiting. */
  releaseSync(): void;
}

export interface Published {
  /** A dead socket was replaced. */
  readonly replacedStale: boolean;
}

/** What a look at the public name found. */
export interface GuardFinding {
  /** It was ours at the last look and is not, or was not until now. */
  readonly isLost: boolean;
  /** It is ours again. */
  readonly isRestored: boolean;
  /** Its place is free, but the socket has no name left from which it could get it back. */
  readonly isBeyondRepair: boolean;
}

export const NOTHING_FOUND: GuardFinding = {
  isLost: false,
  isRestored: false,
  isBeyondRepair: false,
};
