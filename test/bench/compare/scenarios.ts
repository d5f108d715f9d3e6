import { kill, recycle, reload, stop, takeOver, type Act } from "./acts.ts";
import { countFates, describeProblems, type Fate } from "./failures.ts";
import { unfinishedByAny } from "./notes.ts";
import type { Peer } from "./peer.ts";
import { withScene } from "./scene.ts";

export const SCENARIO_NAMES = ["reload", "kill", "recycle", "takeover", "stop"] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

/** What one scenario did to one server. */
export interface ScenarioResult {
  readonly requests: number;
  readonly failed: number;
  /** Of those that failed, the ones that a killed worker was executing. */
  readonly unavoidable: number;
  /** Of those that failed, the others, by what became of them. */
  readonly fates: Readonly<Record<Fate, number>>;
  /** All that failed, as the client saw them. */
  readonly problems: string;
  /** How often it happened. */
  readonly times: number;
  readonly tookMs: readonly number[];
}

const ACTS: Record<ScenarioName, Act> = { reload, kill, recycle, takeover: takeOver, stop };

/** A server stops only once, so this one is started anew a few times. */
const STOPS = 5;

/** Puts a server under load through a scenario; undefined where it does not know such a thing. */
export async function runScenario(
  name: ScenarioName,
  peer: Peer,
): Promise<ScenarioResult | undefined> {
  const results: ScenarioResult[] = [];
  for (let scene = 0; scene < (name === "stop" ? STOPS : 1); scene += 1) {
    const result = await runOnce(name, peer);
    if (result === undefined) return undefined;
    results.push(result);
  }
  return merge(results);
}

/** Several results as one. */
export function merge(results: readonly ScenarioResult[]): ScenarioResult {
  const sum = (read: (result: ScenarioResult) => number): number =>
    results.reduce((total, result) => total + read(result), 0);
  return {
    requests: sum(({ requests }) => requests),
    failed: sum(({ failed }) => failed),
    unavoidable: sum(({ unavoidable }) => unavoidable),
    fates: {
      executing: sum(({ fates }) => fates.executing),
      sent: sum(({ fates }) => fates.sent),
      refused: sum(({ fates }) => fates.refused),
    },
    problems: results.map(({ problems }) => problems).join("; "),
    times: sum(({ times }) => times),
    tookMs: results.flatMap(({ tookMs }) => tookMs),
  };
}

async function runOnce(name: ScenarioName, peer: Peer): Promise<ScenarioResult | undefined> {
  const isRecycling = name === "recycle";
  if (isRecycling && !peer.canRecycle) return undefined;
  if (name === "takeover" && peer.takeOver === undefined) return undefined;
  return await withScene(peer, { isRecycling }, async (scene) => {
    const course = await ACTS[name](scene, peer);
    if (course === undefined) return undefined;
    const { client, nginx, place } = scene;
    await client.end();
    const { executing = new Set<string>(), tookMs, times = tookMs.length } = course;
    const others = client.failures.filter(({ id }) => !executing.has(id));
    const unfinished = unfinishedByAny(place.notes);
    return {
      requests: client.ended,
      failed: client.failures.length,
      unavoidable: client.failures.length - others.length,
      fates: countFates(others, { unfinished, errorLog: await nginx.errorLog() }),
      problems: describeProblems(client.failures),
      times,
      tookMs,
    };
  });
}
