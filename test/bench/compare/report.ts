import { availableParallelism, cpus, release } from "node:os";
import { quartiles } from "../statistics.ts";
import { CHURN_SERVERS, type ChurnRound, type ChurnServer } from "./churn.ts";
import type { CrashLog } from "./crash-log.ts";
import type { CrashLoop, CrashWindow } from "./crash-loop.ts";
import type { ScenarioName, ScenarioResult } from "./scenarios.ts";

const TITLES: Record<ScenarioName, string> = {
  reload: "reload",
  kill: "`kill -9` of a worker",
  recycle: "recycling",
  takeover: "takeover",
  stop: "stop",
};

const CHURN_TITLES: Record<ChurnServer, string> = {
  gate: "Outrigger",
  plain: "Outrigger, `--balance off`",
  cluster: "node:cluster, round robin",
};

/** Where the numbers were taken. */
export function formatMachine(): string {
  const cpu = cpus()[0]?.model ?? "unknown CPU";
  const today = new Date().toISOString().slice(0, 10);
  return `Node ${process.version}, Linux ${release()}, ${cpu} (${availableParallelism()} cores), ${today}.`;
}

/** Head of the table of scenarios. */
export const SCENARIO_HEAD: string = [
  "| scenario | server | times | took, ms: median (longest) | requests | failed | of them lost with the killed worker | others lost |",
  "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
].join("\n");

/**
 * One row of that table. What met no server at all is not lost: after a stop nginx has nobody to turn to.
 */
export function formatScenario(
  name: ScenarioName,
  title: string,
  result: ScenarioResult | undefined,
): string {
  if (result === undefined) return `| ${TITLES[name]} | ${title} | n/a | | | | | |`;
  const { fates, unavoidable } = result;
  const refused = name === "stop" ? fates.refused : 0;
  const cells = [
    TITLES[name],
    title,
    result.times,
    formatTimes(result.tookMs),
    result.requests - refused,
    result.failed - refused,
    name === "kill" ? unavoidable : "",
    result.failed - refused - unavoidable,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** One row for each server: connections per second and the ratio to `plain` and `cluster` of the same round. */
export function formatChurn(workers: number, rounds: readonly ChurnRound[]): string {
  return CHURN_SERVERS.map((name) => {
    const rates = rounds.map((round) => round[name].connectionsPerSecond);
    const ratioTo = (other: ChurnServer): string =>
      name === other ? "1" : formatRatio(ratios(rounds, name, other));
    const share = quartiles(rounds.map((round) => round[name].coreShare)).median;
    const cells = [
      workers,
      CHURN_TITLES[name],
      quartiles(rates).median.toFixed(0),
      ratioTo("plain"),
      ratioTo("cluster"),
      `${(share * 100).toFixed(0)} %`,
    ];
    return `| ${cells.join(" | ")} |`;
  }).join("\n");
}

/** Head of the table of {@link formatChurn}. */
export const CHURN_HEAD: string = [
  "| workers | server | connections/s | ratio to `--balance off` | ratio to node:cluster | busy share of its core |",
  "| ---: | --- | ---: | ---: | ---: | ---: |",
].join("\n");

/** Rate of one server through that of another, round by round. */
export function ratios(
  rounds: readonly ChurnRound[],
  name: ChurnServer,
  other: ChurnServer,
): number[] {
  return rounds.map(
    (round) => round[name].connectionsPerSecond / round[other].connectionsPerSecond,
  );
}

/** What a crash loop cost, and what it would write in the long run. */
export function formatCrashLoop({ workers, ramp, steady }: CrashLoop, log: CrashLog): string {
  return [
    "| crash loop | seconds | crashes | CPU of one core | CPU ms/crash | log lines |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    formatWindow(`${workers} workers, delays still growing`, ramp),
    formatWindow(`${workers} workers, delays at their longest`, steady),
    "",
    `With a clock that does not wait, ${log.crashes} crashes of ${workers} workers take ${log.hours.toFixed(1)} hours`,
    `and write ${log.lines} log lines.`,
  ].join("\n");
}

function formatWindow(title: string, window: CrashWindow): string {
  const { seconds, crashes, cpuSeconds, logLines } = window;
  const cells = [
    title,
    seconds,
    crashes,
    `${((cpuSeconds / seconds) * 100).toFixed(1)} %`,
    ((cpuSeconds / crashes) * 1_000).toFixed(0),
    logLines,
  ];
  return `| ${cells.join(" | ")} |`;
}

function formatRatio(values: readonly number[]): string {
  const { q1, median, q3 } = quartiles(values);
  return `${median.toFixed(2)} (${q1.toFixed(2)}–${q3.toFixed(2)})`;
}

function formatTimes(tookMs: readonly number[]): string {
  if (tookMs.length === 0) return "";
  const longest = Math.max(...tookMs).toFixed(0);
  return tookMs.length === 1 ? longest : `${quartiles(tookMs).median.toFixed(0)} (${longest})`;
}
