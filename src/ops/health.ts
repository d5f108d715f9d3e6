import type { Standing } from "../snapshot.ts";

/** The questions a kubelet or load balancer asks; each is a path of the ops endpoint. */
export const PROBES = ["livez", "startupz", "readyz", "healthz"] as const;
export type Probe = (typeof PROBES)[number];

/** What one named check found. */
export type CheckResult =
  | { readonly name: string; readonly outcome: "ok"; readonly note?: string }
  | { readonly name: string; readonly outcome: "excluded" }
  | { readonly name: string; readonly outcome: "failed"; readonly reason: string };

/** The answer to a probe, with every check it rests on. */
export interface Verdict {
  readonly probe: Probe;
  readonly passed: boolean;
  readonly checks: readonly CheckResult[];
  /** Checks the asker wanted to leave out that the probe does not have. */
  readonly unknownExclusions: readonly string[];
}

export interface JudgeOptions {
  /** Names of checks whose outcome does not count (none). */
  readonly excluded?: readonly string[];
  /** The one check that is asked for (all of the probe). */
  readonly only?: string;
}

/** Returns why a check fails, or undefined when it passes. */
type Check = (snapshot: Standing) => string | undefined;

const LIVE: Readonly<Record<string, Check>> = {
  supervisor: () => undefined,
  workers: checkReplacing,
};
const STARTED: Readonly<Record<string, Check>> = { endpoints: checkStarted };
const READY: Readonly<Record<string, Check>> = {
  phase: checkPhase,
  workers: checkWorkers,
  app: checkApp,
  endpoints: checkEndpoints,
};

const CHECKS: Readonly<Record<Probe, Readonly<Record<string, Check>>>> = {
  livez: LIVE,
  startupz: STARTED,
  readyz: READY,
  healthz: READY,
};

/** What there is to say of a check that passes; empty when there is nothing. */
const NOTES: Readonly<Record<string, (snapshot: Standing) => string>> = {
  workers: describeBackoffs,
};

/** Lists the checks of a probe, in the order they are reported. */
export function checkNames(probe: Probe): readonly string[] {
  return Object.keys(CHECKS[probe]);
}

/** Answers a probe from what is known, alone. */
export function judge(probe: Probe, snapshot: Standing, options: JudgeOptions = {}): Verdict {
  const { excluded = [], only } = options;
  const checks = Object.entries(CHECKS[probe])
    .filter(([name]) => only === undefined || name === only)
    .map(([name, check]): CheckResult => {
      if (excluded.includes(name)) return { name, outcome: "excluded" };
      const reason = check(snapshot);
      if (reason !== undefined) return { name, outcome: "failed", reason };
      const note = NOTES[name]?.(snapshot) ?? "";
      return { name, outcome: "ok", ...(note === "" ? {} : { note }) };
    });
  return {
    probe,
    passed: checks.every((check) => check.outcome !== "failed"),
    checks,
    unknownExclusions: excluded.filter((name) => !checks.some((check) => check.name === name)),
  };
}

function checkReplacing(snapshot: Standing): string | undefined {
  if (!snapshot.isStuck) return undefined;
  return `replacing workers has failed for too long, ${countReady(snapshot)} of ${snapshot.workersWanted} are ready`;
}

function checkStarted(snapshot: Standing): string | undefined {
  return snapshot.hasStarted ? undefined : "no endpoint has been published yet";
}

function checkPhase(snapshot: Standing): string | undefined {
  return snapshot.phase === "ready" ? undefined : `phase is ${snapshot.phase}`;
}

function checkWorkers(snapshot: Standing): string | undefined {
  const accepting = countAccepting(snapshot);
  if (accepting >= snapshot.minReady) return undefined;
  const silent = countReady(snapshot) - accepting;
  const why = silent === 0 ? "" : `, ${silent} more do not answer`;
  const backoffs = describeBackoffs(snapshot);
  const loops = backoffs === "" ? "" : `, ${backoffs}`;
  return `${accepting} workers are ready, ${snapshot.minReady} needed${why}${loops}`;
}

function describeBackoffs({ backoffs }: Standing): string {
  return backoffs
    .map(({ slot, failures, retryInMs }) => {
      const wait = `tried again in ${Math.ceil(retryInMs / 1000)} s`;
      return `worker ${slot} is in a crash loop (ended ${failures} times in a row, ${wait})`;
    })
    .join(", ");
}

function checkApp(snapshot: Standing): string | undefined {
  const ready = snapshot.workers.filter((worker) => worker.state === "ready");
  const unhealthy = ready.filter((worker) => worker.health?.healthy === false);
  const healthy = ready.length - unhealthy.length;
  if (healthy >= snapshot.minReady) return undefined;
  const said = unhealthy
    .map((worker) => worker.health?.message)
    .find((message) => message !== undefined);
  const why = said === undefined ? "" : `: ${said}`;
  return `${healthy} workers have a healthy app, ${snapshot.minReady} needed${why}`;
}

function checkEndpoints(snapshot: Standing): string | undefined {
  const down = snapshot.endpoints.filter((endpoint) => !endpoint.up);
  if (down.length === 0) return undefined;
  return down
    .map(({ name, address, problem }) => `${name} (${address}): ${problem ?? "not published"}`)
    .join("; ");
}

/** A worker that is stuck in a loop is ready by name only. */
function countAccepting({ workers, silentAfterMs }: Standing): number {
  return workers.filter(
    ({ state, silentForMs }) => state === "ready" && silentForMs < silentAfterMs,
  ).length;
}

function countReady(snapshot: Standing): number {
  return snapshot.workers.filter((worker) => worker.state === "ready").length;
}
