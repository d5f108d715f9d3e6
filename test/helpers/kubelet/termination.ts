/**
 * How a kubelet ends a pod. For every container at once: its preStop hook, then, for a sidecar, its turn (all
 * others and the sidecars after it have ended), then the stop signal, and SIGKILL when the grace period that all
 * share is over. What hook and waiting took is taken from it, and no container gets less than two seconds.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Containers } from "../containers.ts";
import { within } from "../deadline.ts";
import type { Pod } from "./pod.ts";
import type { ContainerSpec } from "./pod-spec.ts";

const LEAST_GRACE_MS = 2_000;
const MARGIN_MS = 10_000;

/** What became of a container, in milliseconds since the pod was told to go. */
export interface Ended {
  readonly signalledAtMs: number;
  readonly endedAtMs: number;
  readonly exitCode: number;
}

export interface Termination {
  /** The instant the pod was told to go. */
  readonly startMs: number;
  readonly containers: Readonly<Record<string, Ended>>;
  /** Liveness probes of sidecars, which older kubelets go on with, that failed before the container ended. */
  readonly livenessFailures: number;
  readonly livenessPasses: number;
}

/** Ends a pod. */
export async function terminate(pod: Pod, containers: Containers): Promise<Termination> {
  const startMs = performance.now();
  const specs = pod.spec.containers;
  const sidecars = specs.filter(({ isSidecar }) => isSidecar);
  const ends = new Map(specs.map(({ name }) => [name, Promise.withResolvers<Ended>()]));
  const probing = specs.filter(({ isSidecar }) => isSidecar).map((spec) => keepProbing(pod, spec));
  const turnOf = async (spec: ContainerSpec): Promise<void> => {
    const later = sidecars.slice(sidecars.indexOf(spec) + 1);
    const before = spec.isSidecar ? [...specs.filter(({ isSidecar }) => !isSidecar), ...later] : [];
    await Promise.all(before.flatMap(({ name }) => ends.get(name)?.promise ?? []));
  };
  const runHook = async ({ name, preStopMs, preStopCommand }: ContainerSpec): Promise<void> => {
    if (preStopCommand.length > 0)
      await containers.podman(["exec", pod.nameOf(name), ...preStopCommand]);
    await delay(preStopMs);
  };
  const stop = async (spec: ContainerSpec): Promise<void> => {
    await runHook(spec);
    await turnOf(spec);
    const signalledAtMs = performance.now() - startMs;
    probing.find(({ name }) => name === spec.name)?.end();
    const graceMs = Math.max(pod.spec.gracePeriodMs - signalledAtMs, LEAST_GRACE_MS);
    const name = pod.nameOf(spec.name);
    const seconds = `--time=${Math.ceil(graceMs / 1_000)}`;
    await containers.podman(["stop", seconds, name], { deadlineMs: graceMs + MARGIN_MS });
    const endedAtMs = performance.now() - startMs;
    const { ExitCode: exitCode } = (await containers.inspect(name)).State;
    ends.get(spec.name)?.resolve({ signalledAtMs, endedAtMs, exitCode });
  };
  const all = Promise.all(specs.map(stop));
  await within(pod.spec.gracePeriodMs + 2 * MARGIN_MS, all, "the pod to end");
  const counts = await Promise.all(probing.map(({ counts: found }) => found));
  return {
    startMs,
    containers: Object.fromEntries(
      await Promise.all([...ends].map(async ([name, { promise }]) => [name, await promise])),
    ) as Readonly<Record<string, Ended>>,
    livenessFailures: counts.reduce((sum, { failures }) => sum + failures, 0),
    livenessPasses: counts.reduce((sum, { passes }) => sum + passes, 0),
  };
}

interface Probing {
  readonly name: string;
  /** Stops probing. */
  readonly end: () => void;
  readonly counts: Promise<{ readonly passes: number; readonly failures: number }>;
}

/** Goes on with the liveness probe of a container, ten times as often as the manifest says. */
function keepProbing(pod: Pod, { name, liveness }: ContainerSpec): Probing {
  const ending = new AbortController();
  const probe = async (): Promise<{ passes: number; failures: number }> => {
    const counts = { passes: 0, failures: 0 };
    while (liveness !== undefined && !ending.signal.aborted) {
      const isPassed = await pod.passes(liveness);
      if (isPassed) counts.passes += 1;
      else if (!ending.signal.aborted) counts.failures += 1;
      await delay(liveness.periodMs / 10, undefined, { signal: ending.signal }).catch(() => {});
    }
    return counts;
  };
  return { name, end: () => ending.abort(), counts: probe() };
}
