import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createChance, type Chance } from "../helpers/random.ts";
import { shrink } from "../helpers/shrink.ts";
import { happen, KINDS, type Event } from "./model/events.ts";
import { Invariants } from "./model/invariants.ts";
import { World, type WorldOptions } from "./model/world.ts";

/** Set to the seed of a failure to run that alone; MODEL_RUNS makes a run as long as wished. */
const { MODEL_SEED, MODEL_RUNS = "200" } = process.env;
const EVENTS = 100;
const GRACE_MS = 5_000;
/** Longer than the longest delay before one of a dozen slots is filled again, and before recycling is tried again. */
const HEALED_WITHIN_MS = 122_000;

interface Story {
  readonly options: WorldOptions;
  readonly events: readonly Event[];
  /** Whether all turns out well before the drain that every story ends with. */
  readonly heals: boolean;
}

function draw(seed: number): Story {
  const chance = createChance(seed);
  const size = 1 + chance.below(4);
  const atLeast = 1 + chance.below(size);
  const options = { size, atLeast, maxRequests: chance.is(0.5) ? 4 : 0, seed };
  const begins: Event[] = chance.is(0.85) ? [{ name: "everybodyReady", at: 0 }] : [];
  return {
    options,
    events: [...begins, ...chance.list(EVENTS, () => drawEvent(chance))],
    heals: chance.is(0.5),
  };
}

function drawEvent(chance: Chance): Event {
  const kinds = Object.entries(KINDS);
  let left = chance.next() * kinds.reduce((sum, [, { weight }]) => sum + weight, 0);
  const found = kinds.find(([, { weight }]) => (left -= weight) < 0);
  return { name: found?.[0] ?? "moment", at: Math.round(chance.next() * 1_000) / 1_000 };
}

/** Tells a story to its end; rejects at the first step after which something does not hold. */
async function tell({ options, events, heals }: Story): Promise<void> {
  const world = new World(options);
  const invariants = new Invariants(world);
  const attend = (): void => invariants.checkAttendance();
  await world.settle();
  invariants.check();
  for (const event of events) {
    await happen(world, event, attend);
    invariants.check();
  }
  if (heals && world.isServing) await heal(world, invariants);
  await end(world, invariants);
}

/** From now on nothing goes wrong: in time as many serve as are wanted, with the settings of the last reload. */
async function heal(world: World, invariants: Invariants): Promise<void> {
  const untilMs = world.clock.now() + HEALED_WITHIN_MS;
  world.isSpawnBroken = false;
  while (world.clock.now() < untilMs) {
    while (help(world)) await world.settle();
    await world.advance(5_000, () => {});
  }
  invariants.check();
  const pending = world.operations.filter(({ outcome }) => outcome === "pending");
  assert.deepEqual(pending, [], "everything asked for was answered");
  const states = world.living.map(({ state }) => state);
  assert.deepEqual(states, Array(world.wanted).fill("ready"), "as many serve as are wanted");
  if (world.isMixed) return;
  const behind = world.living.filter(({ version }) => version !== world.version);
  assert.deepEqual(behind, [], `everybody has version ${world.version}`);
}

/** Lets every worker do well what it is about to do; false when there was nothing. */
function help({ living }: World): boolean {
  let hasHelped = false;
  for (const worker of living) {
    worker.isHung = false;
    const { state, isKilled } = worker;
    if (isKilled) worker.end({ signal: "SIGKILL" });
    else if (state === "starting") worker.ready();
    else if (state !== "draining") continue;
    else {
      worker.drained(0);
      worker.end({ code: 0 });
    }
    hasHelped = true;
  }
  return hasHelped;
}

/** Drains, with half of the workers never done; nothing is left then, no timer either. */
async function end(world: World, invariants: Invariants): Promise<void> {
  world.stop(GRACE_MS);
  await world.settle();
  invariants.check();
  for (const [index, worker] of world.living.entries()) {
    if (index % 2 === 1 || !worker.isResponsive) continue;
    worker.drained(0);
    worker.end({ code: 0 });
  }
  await world.settle();
  invariants.check();
  await world.advance(GRACE_MS + 1_000, () => {});
  invariants.check();
  for (const worker of world.living) worker.end({ signal: "SIGKILL" });
  await world.settle();
  invariants.check();
  const pending = world.operations.filter(({ outcome }) => outcome === "pending");
  assert.deepEqual(pending, [], "everything asked for was answered in the end");
  assert.equal(world.clock.pending, 0, "timers are left");
  assert.deepEqual(world.set.handles, []);
}

async function failureOf(story: Story): Promise<unknown> {
  try {
    await tell(story);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The shortest story of the kind that still fails, with what it fails with. */
async function explain(seed: number, story: Story): Promise<Error> {
  const events = await shrink(
    story.events,
    async (shorter) => (await failureOf({ ...story, events: shorter })) !== undefined,
  );
  const cause = await failureOf({ ...story, events });
  const reason = cause instanceof Error ? cause.message : String(cause);
  const steps = events.map(({ name, at }) => `${name} ${at}`).join(", ");
  const { events: _, ...rest } = story;
  const sentence = `MODEL_SEED=${seed} fails: ${JSON.stringify(rest)}\n[${steps}]\n${reason}`;
  return new Error(sentence, { cause });
}

describe("WorkerSet, whatever happens", () => {
  it("keeps its promises", async () => {
    const first = Number(MODEL_SEED ?? 1);
    const runs = MODEL_SEED === undefined ? Number(MODEL_RUNS) : 1;
    for (let seed = first; seed < first + runs; seed += 1) {
      const story = draw(seed);
      if ((await failureOf(story)) !== undefined) throw await explain(seed, story);
    }
  });
});
