/**
 * `npm run fuzz -- [--seconds 60] [--seed N] [--target NAME] [--cases N]`: feeds the program and its parsers with what was made up,
 * from a seed; a failure prints the seed that shows it again.
 */
import { parseArgs } from "node:util";
import type { Scope } from "../helpers/scope.ts";
import { PARSERS } from "./parsers.ts";
import { showScript, writeScript } from "./script.ts";
import { SERVER } from "./server.ts";
import { FuzzFailure, type Target } from "./target.ts";

/** Of the time, for all parsers together. */
const PARSERS_SHARE = 0.15;
const DEFAULT_SECONDS = 60;
const SEEDS = 2 ** 31;

interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly cases: number;
  readonly targets: readonly Target[];
}

async function main(): Promise<number> {
  const options = readOptions();
  const { seed, seconds, targets } = options;
  console.log(`Seed ${seed}, ${seconds} s`);
  for (const target of targets) {
    const beganAt = performance.now();
    const failure = await run(target, options, secondsOf(target, options));
    if (typeof failure === "object") return await report(target, failure);
    const took = ((performance.now() - beganAt) / 1_000).toFixed(1);
    console.log(`${target.name}: ${failure} cases in ${took} s`);
  }
  return 0;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: String(DEFAULT_SECONDS) },
      seed: { type: "string" },
      cases: { type: "string" },
      target: { type: "string" },
    },
  });
  const all = [...PARSERS, SERVER];
  const targets = all.filter(({ name }) => values.target === undefined || name === values.target);
  if (targets.length === 0)
    throw new Error(
      `Cannot fuzz "${values.target}": expected ${all.map(({ name }) => name).join(", ")}`,
    );
  return {
    targets,
    seconds: readNumber("--seconds", values.seconds),
    seed:
      values.seed === undefined
        ? Math.floor(Math.random() * SEEDS)
        : readNumber("--seed", values.seed),
    cases: values.cases === undefined ? Infinity : readNumber("--cases", values.cases),
  };
}

function readNumber(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Error(`Cannot use ${option} "${text}": expected a whole number`);
  return number;
}

function secondsOf(target: Target, { seconds, targets }: Options): number {
  if (targets.length === 1) return seconds;
  return target === SERVER
    ? seconds * (1 - PARSERS_SHARE)
    : (seconds * PARSERS_SHARE) / PARSERS.length;
}

/** The number of cases, or the one that failed. */
async function run(
  target: Target,
  { seed, cases }: Pick<Options, "seed" | "cases">,
  seconds: number,
): Promise<number | FuzzFailure> {
  const cleanups: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (cleanup) => void cleanups.push(cleanup) };
  try {
    return await target.run({ scope, seed, cases, forMs: seconds * 1_000 });
  } catch (error) {
    if (error instanceof FuzzFailure) return error;
    throw error;
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  }
}

async function report(target: Target, failure: FuzzFailure): Promise<number> {
  console.error(`\n${target.name} failed: ${failure.message}`);
  const culprit = failure.seeds.length === 1 ? failure.seeds[0] : await findCulprit(target, failure);
  const [first = 0] = failure.seeds;
  if (culprit === undefined) {
    console.error(`None of ${failure.seeds.length} cases does it alone. All of them again:`);
    console.error(`  npm run fuzz -- --target ${target.name} --seed ${first} --cases ${failure.seeds.length}`);
    return 1;
  }
  if (target === SERVER) console.error(showScript(writeScript(culprit)));
  console.error(`Once more:\n  npm run fuzz -- --target ${target.name} --seed ${culprit} --cases 1`);
  return 1;
} // prettier-ignore

/** Of the cases that were under way, the one that fails alone; those that came last are tried first. */
async function findCulprit(target: Target, { seeds }: FuzzFailure): Promise<number | undefined> {
  console.error(`Looking for the one of ${seeds.length} cases ...`);
  for (let span = halve(seeds); span !== undefined;) {
    const [first = 0] = span.half;
    const result = await run(target, { seed: first, cases: span.half.length }, DEFAULT_SECONDS);
    const rest = typeof result === "object" ? span.half : span.other;
    if (rest.length <= 1) {
      const [seed] = rest;
      if (seed === undefined) return undefined;
      return typeof (await run(target, { seed, cases: 1 }, 1)) === "object" ? seed : undefined;
    }
    span = halve(rest);
  }
  return undefined;
}

interface Halves {
  readonly half: readonly number[];
  readonly other: readonly number[];
}

function halve(seeds: readonly number[]): Halves {
  const middle = Math.floor(seeds.length / 2);
  return { half: seeds.slice(middle), other: seeds.slice(0, middle) };
}

process.exitCode = await main();
