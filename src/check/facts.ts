import type { Config, UnixEndpoint } from "../config/config.ts";

/** A file as permissions are decided by. */
export interface FileFacts {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** Who connects to the socket. */
export interface Account {
  readonly uid: number;
  readonly groups: readonly number[];
}

/** What stands at the path of a socket. */
export type Occupant =
  | { readonly kind: "free" }
  | { readonly kind: "stale" }
  | { readonly kind: "outrigger"; readonly pid: number | undefined }
  | { readonly kind: "live"; readonly evidence: string }
  | { readonly kind: "other"; readonly what: string };

/** A file whose end a drain waits for; `hidden` is one that may not be looked at. */
export interface AwaitedFile {
  readonly path: string;
  readonly state: "there" | "absent" | "no directory" | "hidden";
}

/** All that was found out about the path of one Unix socket. */
export type SocketFacts =
  /** It could not even be looked at; `problem` says why and what to do. */
  | { readonly endpoint: UnixEndpoint; readonly problem: string }
  | {
      readonly endpoint: UnixEndpoint;
      readonly problem: undefined;
      /** From the root to the one that holds the socket. */
      readonly directories: readonly FileFacts[];
      /** The socket as it is while an Outrigger serves it, or as it would be. */
      readonly file: FileFacts;
      readonly occupant: Occupant;
      /** Whether we may give a file of ours that owner and group. */
      readonly isOursToGive: boolean;
    };

/** What was found out about the certificate of an endpoint. */
export type CertificateFacts =
  /** It cannot be served with; `problem` says why and what to do. */
  | { readonly endpoint: string; readonly problem: string }
  | { readonly endpoint: string; readonly problem: undefined; readonly expiresInMs: number };

/** What all checks go by; none looks at the world itself. */
export interface Facts {
  readonly config: Config;
  readonly sockets: readonly SocketFacts[];
  /** Of the endpoints that speak TLS. */
  readonly certificates: readonly CertificateFacts[];
  /** As whom the workers of nginx run; undefined is uid and gid 101 with the group of the socket. */
  readonly nginx: Account | undefined;
  /** How long nginx keeps an idle upstream connection. */
  readonly nginxKeepAliveMs: number;
  /** The pod's `terminationGracePeriodSeconds`. */
  readonly podGraceMs: number;
  /** Kubernetes has started us. */
  readonly isInPod: boolean;
  /** Undefined when a drain waits for none. */
  readonly untilGone: AwaitedFile | undefined;
  /** The longest accept queue the kernel gives; undefined where it does not say. */
  readonly somaxconn: number | undefined;
  /** Whether files can be made in /dev/shm. */
  readonly hasSharedMemory: boolean;
}
