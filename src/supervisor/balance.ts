/** Connections above the average at which a worker stops accepting. */
export const BALANCE_SLACK = 2;

/** What is known of one worker on one endpoint. */
export interface WorkerLoad {
  readonly connections: number;
  /** It has closed its copy of the listener and waits to be given another. */
  readonly isShut: boolean;
  /** It answers; one that is stuck in a loop neither accepts nor counts. */
  readonly isResponsive: boolean;
  /** It is to take none while others can: it has been relieved of some a moment ago. */
  readonly isHeld: boolean;
}

/** Who may accept how much. */
export interface GatePlan<Id> {
  /** Connections at which a worker is to stop accepting. */
  readonly limit: number;
  /** Shut workers that are level again. */
  readonly reopen: readonly Id[];
  /** Held workers take none: there are others that can. */
  readonly areHeld: boolean;
}

/**
 * Shares connections out among the workers of one endpoint. The average is taken over the workers
 * that answer and are not held, so that one which is stuck holds up nobody, and a single one has no
 * limit. With a slack of 0 only those below the average accept, as long as there are any. The least
 * loaded is always below the limit: the queue is never left unattended.
 */
export function planGates<Id>(loads: ReadonlyMap<Id, WorkerLoad>, slack: number): GatePlan<Id> {
  const responsive = [...loads.values()].filter(({ isResponsive }) => isResponsive);
  const free = responsive.filter(({ isHeld }) => !isHeld);
  const areHeld = free.length > 0;
  const limit = limitOf(
    (areHeld ? free : responsive).map(({ connections }) => connections),
    slack,
  );
  const reopen = [...loads]
    .filter(([, load]) => load.isShut && load.isResponsive && load.connections < limit)
    .filter(([, { isHeld }]) => !(isHeld && areHeld))
    .map(([id]) => id);
  return { limit, reopen, areHeld };
}

function limitOf(connections: readonly number[], slack: number): number {
  if (connections.length < 2) return Number.POSITIVE_INFINITY;
  const total = connections.reduce((sum, count) => sum + count, 0);
  const average = Math.floor(total / connections.length);
  return average + Math.max(slack, Math.min(...connections) < average ? 0 : 1);
}
