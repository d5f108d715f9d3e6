import { accessSync, constants } from "node:fs";

/** Every image that is more than the program itself has one; an init proper is found in few. */
const SHELL = "/bin/sh";

/**
 * What an init does, in the words every POSIX shell understands: hands signals on as they come,
 * reaps whoever is left behind, and ends as the program does.
 *
 * A shell knows the status of a child once: after a signal that came as the child ended it is asked
 * again and says 127, so the first answer stays. Without job control a child in the background gets
 * no standard input, hence descriptor 3.
 */
const INIT = `\
child= early= code=
pass() { heard=1; if [ "$child" ]; then kill -s "$1" "$child"; else early="$early $1"; fi; }
for signal in TERM INT QUIT HUP TTIN TTOU USR1 USR2; do trap "pass $signal" "$signal"; done
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&-
for signal in $early; do kill -s "$signal" "$child"; done
heard=1
while [ "$heard" ]; do
  heard=
  wait "$child"
  status=$?
  if [ "$status" != 127 ] || [ -z "$code" ]; then code=$status; fi
done 2>/dev/null
exit "$code"
`;

/** What the log says when there is no shell either. */
export const NO_INIT = "running as PID 1 without an init: orphaned processes are not reaped";
export const INIT_ADVICE =
  "docker run --init, shareProcessNamespace in the pod, or tini as the entrypoint of the image";

/** What of a process matters here. */
export interface FirstProcess {
  readonly pid: number;
  readonly execPath: string;
  readonly execArgv: readonly string[];
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  execve?(file: string, args: readonly string[], env: NodeJS.ProcessEnv): void;
}

/**
 * As the first process of a container we would inherit every process whose parent has gone, and
 * Node cannot reap those: it waits only for children it started. So that first process becomes a
 * shell that can, and starts us again as its child. Returns where that is not possible or not needed.
 */
export function leavePidOne(self: FirstProcess = process, shell: string = SHELL): void {
  if (self.pid !== 1 || self.execve === undefined) return;
  // Descriptors beyond the standard ones would be closed on the way.
  if (self.env["LISTEN_FDS"] !== undefined || self.env["NODE_CHANNEL_FD"] !== undefined) return;
  const [, ...rest] = self.argv;
  const command = [self.execPath, ...self.execArgv, ...rest];
  try {
    accessSync(shell, constants.X_OK);
    self.execve(shell, [shell, "-c", INIT, "outrigger-init", ...command], self.env);
  } catch {
    // We stay what we are, and a line of the log says what that costs.
  }
}
