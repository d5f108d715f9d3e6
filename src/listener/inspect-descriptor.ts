import { readFile, readlink } from "node:fs/promises";
import type { BoundAddress } from "../config/config.ts";
import { findSocket, type SocketTables } from "./kernel-sockets.ts";

const CLOSE_ON_EXEC = 0o2_000_000;

/** What a descriptor that we were handed turned out to be. */
export type Inspection =
  | { readonly kind: "listening"; readonly bound: BoundAddress }
  | { readonly kind: "unusable"; readonly reason: string };

const REASONS = {
  packets: "is not a stream socket; HTTP needs one, which is ListenStream= in a socket unit",
  connected: "is a connection, not a socket that listens; a socket unit must not say Accept=yes",
  idle: "does not listen; whoever opens it must call listen() too",
} as const;

/** Looks at a descriptor of ours, and at what the kernel says of it. */
export async function inspectDescriptor(
  descriptor: number,
  tables: SocketTables,
): Promise<Inspection> {
  const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => undefined);
  if (target === undefined) return refuse(`descriptor ${descriptor} is not open`);
  const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
  if (inode === undefined) return refuse(`descriptor ${descriptor} is not a socket but ${target}`);
  const socket = findSocket(tables, inode);
  if (socket === undefined) {
    return refuse(
      `descriptor ${descriptor} does not listen in our network namespace; ` +
        "whoever opens it must call listen() too, and a service unit must not say PrivateNetwork=yes",
    );
  }
  if (socket.state !== "listening")
    return refuse(`descriptor ${descriptor} ${REASONS[socket.state]}`);
  // Node does this at its start for all but high numbers after a gap.
  if (!(await isClosedOnExec(descriptor))) {
    return refuse(
      `descriptor ${descriptor} would stay open in every process we start; hand it over as one of 3 to 15`,
    );
  }
  return { kind: "listening", bound: socket.bound };
}

async function isClosedOnExec(descriptor: number): Promise<boolean> {
  const text = await readFile(`/proc/self/fdinfo/${descriptor}`, "latin1").catch(() => "");
  const [, flags] = /^flags:\s*([0-7]+)$/m.exec(text) ?? [];
  return flags === undefined || (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
}

function refuse(reason: string): Inspection {
  return { kind: "unusable", reason };
}
