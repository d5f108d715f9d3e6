import type { ProcessGroup } from "../../helpers/process-group.ts";
import { within } from "../../helpers/deadline.ts";
import { allServe } from "./fleet.ts";
import { readyWorkers } from "./notes.ts";
import type { RunningPeer } from "./peer.ts";

const END_WITHIN_MS = 60_000;

export interface GroupPeerOptions {
  readonly notes: string;
  readonly reload: () => Promise<void>;
}

/** A server that is one process group, whose workers leave word that they serve; resolves when all do. */
export async function runGroup(
  group: ProcessGroup,
  { notes, reload }: GroupPeerOptions,
): Promise<RunningPeer> {
  let output = "";
  for (const stream of [group.stdout, group.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const peer: RunningPeer = {
    workers: () => readyWorkers(notes),
    reload,
    async terminate() {
      group.signal("SIGTERM");
      return await within(END_WITHIN_MS, group.closed, "the server to stop");
    },
    async killAll() {
      process.kill(-group.pid, "SIGKILL");
      await within(END_WITHIN_MS, group.closed, "the server to be gone");
    },
  };
  const ended = group.closed.then(({ code, signal }) => {
    throw new Error(`The server ended (${signal ?? code}) before it served:\n${output}`);
  });
  ended.catch(() => {});
  await Promise.race([allServe(peer), ended]).catch((error: unknown) => {
    throw new Error(`Cannot start the server:\n${output}`, { cause: error });
  });
  return peer;
}
