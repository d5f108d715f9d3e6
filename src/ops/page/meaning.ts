import type { StatusBody } from "../status-body.ts";

/** How a state is coloured; never the only thing that tells it. */
export type Tone = "good" | "busy" | "bad" | "idle";

/** A phase in the words of people. */
export interface Meaning {
  readonly title: string;
  readonly sentence: string;
  readonly tone: Tone;
}

/** What the phase means for traffic, and why the program is not ready when it is not. */
export function explainPhase({ phase, ready, ...status }: StatusBody): Meaning {
  const reasons = status.not_ready_because.join("; ");
  switch (phase) {
    case "starting":
      return {
        title: "Starting",
        sentence: "Workers start. Nothing is served yet, /readyz fails.",
        tone: "busy",
      };
    case "ready":
      return ready
        ? { title: "Ready", sentence: "Every endpoint is served, /readyz passes.", tone: "good" }
        : { title: "Not ready", sentence: `/readyz fails: ${reasons}.`, tone: "bad" };
    case "draining":
      return {
        title: "Draining",
        sentence: "It was told to stop. /readyz fails, and what has begun is finished.",
        tone: "busy",
      };
    case "stopped":
      return { title: "Stopped", sentence: "Everything is closed.", tone: "idle" };
    default:
      return { title: phase, sentence: "This page does not know this phase.", tone: "idle" };
  }
}

/** How far a drain has come. */
export interface DrainProgress {
  readonly elapsedSeconds: number;
  /** From the start of the drain to the cut of what is left; undefined while it is only announced. */
  readonly graceSeconds: number | undefined;
  readonly connections: number;
  readonly requests: number;
  readonly workers: number;
}

/** The progress of a drain; undefined while there is none. */
export function progressOf(status: StatusBody): DrainProgress | undefined {
  const { drain_started_at: startedAt, drain_deadline_at: deadlineAt, endpoints, workers } = status;
  if (status.phase !== "draining" || startedAt === undefined) return undefined;
  const startedMs = Date.parse(startedAt);
  const elapsedSeconds = (Date.parse(status.taken_at) - startedMs) / 1000;
  const graceSeconds =
    deadlineAt === undefined ? undefined : Math.max((Date.parse(deadlineAt) - startedMs) / 1000, 0);
  return {
    elapsedSeconds: Math.max(elapsedSeconds, 0),
    graceSeconds,
    connections: endpoints.reduce((sum, { connections }) => sum + connections.open, 0),
    requests: endpoints.reduce((sum, { requests }) => sum + requests.in_flight, 0),
    workers: workers.slots.filter(({ state }) => state !== "exited").length,
  };
}
