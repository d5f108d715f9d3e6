/** What is done to a server while it is under load. */
import { setTimeout as delay } from "node:timers/promises";
import { allServe, replaced } from "./fleet.ts";
import { unfinishedBy, workersSeen } from "./notes.ts";
import { WORKERS, type Peer } from "./peer.ts";
import { answers, type Scene } from "./scene.ts";

/** What happened. */
export interface Course {
  /** How long each time took. */
  readonly tookMs: readonly number[];
  /** How often it happened (as often as it was timed). */
  readonly times?: number;
  /** Requests that killed workers were executing: nobody could have saved them. */
  readonly executing?: ReadonlySet<string>;
}

/** Does it; undefined when the server does not know such a thing. */
export type Act = (scene: Scene, peer: Peer) => Promise<Course | undefined>;

const RELOADS = 20;
const KILLS = 20;
const TAKEOVERS = 20;
const RECYCLE_FOR_MS = 20_000;
/** Load goes on for so many answers between two blows. */
const ANSWERS_BETWEEN = 100;

/** All workers are replaced on request, 20 times. */
export const reload: Act = async ({ running, client }) => {
  const tookMs = await repeat(RELOADS, async () => {
    const old = running.workers();
    const took = await timed(async () => {
      await running.reload();
      await replaced(running, old);
    });
    await answers(client, ANSWERS_BETWEEN);
    return took;
  });
  return { tookMs };
};

/** A worker is killed, 20 times, each when the one before was replaced. */
export const kill: Act = async ({ running, client, place }) => {
  const executing = new Set<string>();
  const tookMs = await repeat(KILLS, async () => {
    const [victim] = running.workers();
    if (victim === undefined) throw new Error("There is no worker to kill");
    const took = await timed(async () => {
      process.kill(victim, "SIGKILL");
      await replaced(running, [victim]);
    });
    for (const id of unfinishedBy(place.notes, victim)) executing.add(id);
    await answers(client, ANSWERS_BETWEEN);
    return took;
  });
  return { tookMs, executing };
};

/** Workers are replaced because of the requests they have answered, for a while. */
export const recycle: Act = async ({ place }) => {
  await delay(RECYCLE_FOR_MS);
  return { tookMs: [], times: workersSeen(place.notes) - WORKERS };
};

/** A second server takes over from the first, five times. */
export const takeOver: Act = async (scene, peer) => {
  let { running } = scene;
  const tookMs: number[] = [];
  while (tookMs.length < TAKEOVERS) {
    const old = running.workers();
    const startedAt = performance.now();
    const next = await peer.takeOver?.(scene.scope, scene.place, running);
    if (next === undefined || next === "unknown") return undefined;
    running = next;
    await replaced(running, old);
    tookMs.push(performance.now() - startedAt);
    await answers(scene.client, ANSWERS_BETWEEN);
  }
  return { tookMs };
};

/** It is told to stop, and nginx is not. */
export const stop: Act = async ({ running }) => {
  await allServe(running);
  return { tookMs: [await timed(async () => void (await running.terminate()))] };
};

async function repeat(times: number, act: () => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  while (results.length < times) results.push(await act());
  return results;
}

async function timed(act: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}
