import { spawnSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";

/** Every image that is more than the program itself has one; an init proper is found in few. */
const SHELL = "/bin/sh";
/** Names of variables that a shell hands on. */
const SHELL_NAME = /^[A-Za-z_]\w*$/;

/**
 * What an init does, in the words every POSIX shell understands: hands signals on as they come,
 * reaps whoever is left behind, and ends as the program does.
 *
 * A shell knows the status of a child once: after a signal that came as the child ended it is asked
 * again and says 127, so the first answer stays. Without job control a child in the background gets
 * no standard input, hence descriptor 3. Names are our own: what the environment holds too would be
 * changed for the program.
 */
const INIT = `\
_or_child= _or_early= _or_code=
pass() { _or_heard=1; if [ "$_or_child" ]; then kill -s "$1" "$_or_child"; else _or_early="$_or_early $1"; fi; }
for _or_signal in TERM INT QUIT HUP TTIN TTOU USR1 USR2; do trap "pass $_or_signal" "$_or_signal"; done
exec 3<&0
"$@" <&3 3<&- &
_or_child=$!
exec 3<&-
for _or_signal in $_or_early; do kill -s "$_or_signal" "$_or_child"; done
_or_heard=1
while [ "$_or_heard" ]; do
  _or_heard=
  wait "$_or_child"
  _or_status=$?
  if [ "$_or_status" != 127 ] || [ -z "$_or_code" ]; then _or_code=$_or_status; fi
done 2>/dev/null
exit "$_or_code"
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
  // Descriptors beyond the standard ones would be closed on the way, and LISTEN_PID would be wrong.
  if (self.env["LISTEN_FDS"] !== undefined || self.env["NODE_CHANNEL_FD"] !== undefined) return;
  if (holdsSockets()) return;
  // A shell drops those, and an app may be waiting for them.
  if (!Object.keys(self.env).every((name) => SHELL_NAME.test(name))) return;
  const [, ...rest] = self.argv;
  const command = [self.execPath, ...self.execArgv, ...rest];
  // Tried first, because on Node 24 nothing can be done about an execve that fails.
  if (spawnSync(shell, ["-c", ":"]).status !== 0) return;
  try {
    self.execve(shell, [shell, "-c", INIT, "outrigger-init", ...command], self.env);
  } catch {
    // We stay what we are, and a line of the log says what that costs.
  }
}

/** Whether we were started with a socket that is none of the standard streams; Node opens none by itself. */
function holdsSockets(): boolean {
  return readdirSync("/proc/self/fd").some((name) => Number(name) > 2 && isSocket(name));
}

function isSocket(descriptor: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:");
  } catch {
    // That of the listing itself is closed by now.
    return false;
  }
}
