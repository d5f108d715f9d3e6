/** The processes of a server as a whole: all its workers there, or all replaced. */
import { eventually } from "../../helpers/deadline.ts";
import { isRunning } from "../processes.ts";
import { WORKERS, type RunningPeer } from "./peer.ts";

const REPLACED_WITHIN_MS = 60_000;

/** Resolves with the workers once there are as many as there should be. */
export async function allServe(peer: RunningPeer): Promise<readonly number[]> {
  return await eventually(
    REPLACED_WITHIN_MS,
    () => (peer.workers().length === WORKERS ? peer.workers() : undefined),
    `${WORKERS} workers`,
  );
}

/** Resolves when none of these workers is left and others serve. */
export async function replaced(peer: RunningPeer, old: readonly number[]): Promise<void> {
  await eventually(
    REPLACED_WITHIN_MS,
    () => (old.some(isRunning) ? undefined : true),
    "the old workers to leave",
  );
  await allServe(peer);
}
