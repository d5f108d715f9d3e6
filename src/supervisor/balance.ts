/** Connections above the average at which a worker stops accepting. */
export const BALANCE_SLACK = 2;

/** What is known of one worker on one endpoint. */
export interface WorkerLoad {
  readonly connections: number;
  /** It has closed its copy of the listener and waits to be given another. */
  readonly isShut: boolean;
  /** It answers; one that is stuck in a loop neither accepts nor counts. */
  readonly isResponsive: boolean;
}

/** Who may accept how much. */
export interface GatePlan<Id> {
  /** Connections at which a worker is to stop accepting. */
  readonly limit: number;
  /** Shut workers that are level again. */
  readonly reopen: readonly Id[];
}

/**
 * Shares connections out among the workers of one endpoint. The average is taken over the workers
 * that answer, so that one which is stuck holds up nobody, and a single one has no limit. The least
 * loaded is always below the limit: the queue is never left unattended.
 */
export function planGates<Id>(loads: ReadonlyMap<Id, WorkerLoad>, slack: number): GatePlan<Id> {
  const responsive = [...loads.values()].filter(({ isResponsive }) => isResponsive);
  const total = responsive.reduce((sum, { connections }) => sum + connections, 0);
  const limit =
    responsive.length < 2
      ? Number.POSITIVE_INFINITY
      : Math.floor(total / responsive.length) + Math.max(slack, 1);
  const reopen = [...loads]
    .filter(([, load]) => load.isShut && load.isResponsive && load.connections < limit)
    .map(([id]) => id);
  return { limit, reopen };
}
