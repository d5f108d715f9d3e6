import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import type { OpsEndpoint } from "../config/config.ts";
import { errnoOf, OutriggerError } from "../errors.ts";
import { formatHostPort } from "../host-port.ts";
import { listensOnPort } from "./port-holder.ts";

/** Who is to be signalled, as the ops endpoint says. */
export interface Addressee {
  readonly pid: number;
  /** The signal that announces the drain; undefined when it takes none. */
  readonly signal: string | undefined;
}

/**
 * Signals the process that serves an ops endpoint. What that one says of its pid may count in another
 * pid namespace and be the number of a stranger here. So the kernel is asked whether this process
 * listens on that very port; then what it says of itself can be believed.
 */
export async function sendDrainSignal({ pid, signal }: Addressee, ops: OpsEndpoint): Promise<void> {
  const address = formatHostPort(ops);
  if (!(await isLocal(ops.host))) {
    throw refuse(`${address} is not an address of this machine; run this where outrigger runs`);
  }
  if (!(await listensOnPort(pid, ops.port))) {
    const what = `process ${pid} cannot be seen to listen on ${address} from here`;
    const where = "run this in the container of outrigger, as the same user";
    throw refuse(`${what}; ${where} (uid ${process.geteuid?.()} now)`);
  }
  if (signal === undefined) {
    throw refuse(`process ${pid} takes no signal for it: it uses outrigger as a library`);
  }
  try {
    process.kill(pid, signal);
  } catch (error) {
    throw refuse(`process ${pid} cannot be signalled (${errnoOf(error)})`, error);
  }
}

/** A port of another machine proves nothing about a process of this one. */
async function isLocal(host: string): Promise<boolean> {
  const { address } = await lookup(host);
  const ours = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return address.startsWith("127.") || ours.some((one) => one.address === address);
}

function refuse(reason: string, cause?: unknown): OutriggerError {
  return new OutriggerError(
    "ERR_STATE",
    `Cannot announce the drain: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
