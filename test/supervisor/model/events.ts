import type { ModelWorker } from "./worker.ts";
import type { World } from "./world.ts";
import { REPORT_WITHIN_MS } from "./invariants.ts";

/** Something that happens; `at`, from 0 up to 1, decides to whom and how much, whoever is there then. */
export interface Event {
  readonly name: string;
  readonly at: number;
}

export interface EventKind {
  /** How often it is drawn, compared with the others. */
  readonly weight: number;
  readonly happen: (world: World, at: number) => void;
  /** How much time passes at most, in milliseconds (none). */
  readonly lastsMs?: number;
}

/** An event of one of the workers to which it can happen. */
function of(
  weight: number,
  can: (worker: ModelWorker) => boolean,
  happen: (worker: ModelWorker, at: number) => void,
): EventKind {
  return {
    weight,
    happen({ workers }, at) {
      const able = workers.filter(can);
      const scaled = at * able.length;
      const worker = able[Math.floor(scaled)];
      // The rest of the number is as random as all of it.
      if (worker !== undefined) happen(worker, scaled % 1);
    },
  };
}

/** An event of the operator. */
function asked(weight: number, happen: (world: World, at: number) => void): EventKind {
  return { weight, happen };
}

function lasting(weight: number, lastsMs: number): EventKind {
  return { weight, happen() {}, lastsMs };
}

function amount(at: number, most: number): number {
  return 1 + Math.floor(at * most);
}

const isStarting = (worker: ModelWorker): boolean =>
  worker.isResponsive && worker.state === "starting";
const isServing = (worker: ModelWorker): boolean => worker.isResponsive && worker.state === "ready";
const isBusy = (worker: ModelWorker): boolean =>
  worker.isResponsive && (worker.state === "ready" || worker.state === "draining");
const isLeaving = (worker: ModelWorker): boolean =>
  worker.isResponsive && worker.state === "draining";

/** All that can happen, by name. */
export const KINDS: Readonly<Record<string, EventKind>> = {
  ready: of(14, isStarting, (worker) => worker.ready()),
  everybodyReady: {
    weight: 6,
    happen({ workers }) {
      for (const worker of workers.filter(isStarting)) worker.ready();
    },
  },
  failsToStart: of(3, isStarting, (worker) => {
    worker.fail();
    worker.end({ code: 3 });
  }),
  endsAsSoonAsReady: of(2, isStarting, (worker) => {
    worker.ready();
    worker.end({ code: 1 });
  }),
  readyTooLate: of(
    2,
    (worker) => isLeaving(worker) && !worker.hasBeenReady,
    (worker) => worker.ready(),
  ),
  crashes: of(
    5,
    ({ isAlive, isKilled }) => isAlive && !isKilled,
    (worker) => worker.end({ signal: "SIGSEGV" }),
  ),
  exits: of(1, isBusy, (worker) => worker.end({ code: 0 })),
  hangs: of(3, isBusy, (worker) => (worker.isHung = true)),
  wakes: of(
    5,
    ({ isHung, isAlive, isKilled }) => isHung && isAlive && !isKilled,
    (worker) => (worker.isHung = false),
  ),
  accepts: of(12, isServing, (worker, at) => worker.accept(amount(at, 8))),
  closes: of(8, isBusy, (worker, at) => worker.close(amount(at, 8))),
  begins: of(8, isBusy, (worker, at) => worker.begin(amount(at, 6))),
  finishes: of(8, isBusy, (worker, at) => worker.finish(amount(at, 6))),
  reports: of(6, isBusy, (worker) => worker.push()),
  drains: of(8, isLeaving, (worker) => {
    worker.drained(0);
    worker.end({ code: 0 });
  }),
  cuts: of(2, isLeaving, (worker, at) => {
    worker.drained(amount(at, 5));
    worker.end({ code: 0 });
  }),
  saysDrainedButStays: of(1, isLeaving, (worker) => {
    worker.drained(0);
    worker.isHung = true;
  }),
  dies: of(
    8,
    ({ isAlive, isKilled }) => isAlive && isKilled,
    (worker) => worker.end({ signal: "SIGKILL" }),
  ),
  noMemory: asked(1, (world) => (world.isSpawnBroken = true)),
  memoryAgain: asked(2, (world) => (world.isSpawnBroken = false)),
  reload: asked(4, (world) => world.reload()),
  grow: asked(3, (world) => world.grow()),
  shrink: asked(3, (world) => world.shrink()),
  scrape: asked(5, (world) => world.report(REPORT_WITHIN_MS)),
  announceClose: asked(0.5, (world) => world.announceClose()),
  stop: asked(0.7, (world, at) => world.stop(at * 10_000)),
  moment: lasting(8, 200),
  while: lasting(6, 5_000),
  longWhile: lasting(2, 60_000),
};

/** Lets an event happen; `afterEach` is called between the timers of a while. */
export async function happen(
  world: World,
  { name, at }: Event,
  afterEach: () => void,
): Promise<void> {
  const kind = KINDS[name];
  kind?.happen(world, at);
  await world.settle();
  if (kind?.lastsMs !== undefined) await world.advance(at * kind.lastsMs, afterEach);
}
