import { spawnSync } from "node:child_process";
import { BoundSocket } from "node:net";
import { findTool } from "../tools.ts";
import { startProgram, type Program, type ProgramOptions } from "./program.ts";
import { onEnd, type Scope } from "./scope.ts";

const DEFAULT_BACKLOG = 128;

export type SocketPlace =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** Opens a socket that listens and is held, as systemd does, without anybody who accepts; resolves to its descriptor. */
export function keepListening(
  scope: Scope,
  place: SocketPlace,
  backlog: number = DEFAULT_BACKLOG,
): number {
  const descriptor = keepBound(scope, place);
  // Of the two steps Node only has both at once.
  const script = 'open(my $socket, "+<&=3") or die $!; listen($socket, $ARGV[0]) or die $!';
  const { status } = spawnSync(findTool("perl") ?? "perl", ["-e", script, String(backlog)], {
    stdio: ["ignore", "inherit", "inherit", descriptor],
  });
  if (status !== 0) throw new Error("The socket cannot be made to listen");
  return descriptor;
}

/** The same for a socket that is bound and does not listen. */
export function keepBound(scope: Scope, place: SocketPlace): number {
  const socket = new BoundSocket(place);
  onEnd(scope, () => socket[Symbol.dispose]());
  return socket.fd();
}

export interface ActivationOptions extends Omit<ProgramOptions, "wrapper"> {
  readonly descriptors: readonly number[];
  /** Of the sockets (none). */
  readonly names?: readonly string[];
}

/** Starts the program with sockets that are handed over as systemd does it. */
export function activate(
  scope: Scope,
  { names, env = {}, ...options }: ActivationOptions,
): Program {
  return startProgram(scope, {
    ...options,
    env: {
      LISTEN_FDS: String(options.descriptors.length),
      ...(names === undefined ? {} : { LISTEN_FDNAMES: names.join(":") }),
      ...env,
    },
    // The pid is known only once there is a process.
    wrapper: ["sh", "-c", 'LISTEN_PID=${LISTEN_PID:-$$} exec "$@"', "sh"],
  });
}
