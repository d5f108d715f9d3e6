/** What the whole process is doing; one field of the supervisor, in this order, never backwards. */
export const PHASES = ["starting", "ready", "draining", "stopped"] as const;

export type Phase = (typeof PHASES)[number];

const NEXT: Record<Phase, readonly Phase[]> = {
  starting: ["ready", "draining", "stopped"],
  ready: ["draining"],
  draining: ["stopped"],
  stopped: [],
};

/** Whether the transition table has an arrow between two phases. */
export function canEnter(from: Phase, to: Phase): boolean {
  return NEXT[from].includes(to);
}
