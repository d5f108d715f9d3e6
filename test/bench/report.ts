import { availableParallelism, cpus, release } from "node:os";
import { CLIENTS, SCENARIOS, type Scenario } from "./load.ts";
import type { Memory } from "./memory.ts";
import { TITLES, type ServerName } from "./servers.ts";
import { medianError, quartiles } from "./statistics.ts";

/** One window of load on one server. */
export interface Measurement {
  readonly requestsPerSecond: number;
  /** Of all processes of the server; other programs on the machine disturb it less than the rate. */
  readonly cpuMicrosecondsPerRequest: number;
}

/** All servers one after the other in one scenario. */
export interface Round {
  readonly scenario: Scenario;
  readonly measurements: ReadonlyMap<ServerName, Measurement>;
}

export interface Conditions {
  readonly rounds: number;
  readonly milliseconds: number;
  readonly batches: number;
}

/** What two windows of the same server say together. */
export function average(one: Measurement, other: Measurement): Measurement {
  return {
    requestsPerSecond: (one.requestsPerSecond + other.requestsPerSecond) / 2,
    cpuMicrosecondsPerRequest:
      (one.cpuMicrosecondsPerRequest + other.cpuMicrosecondsPerRequest) / 2,
  };
}

/** Tells under which conditions the numbers were taken. */
export function formatConditions({ rounds, milliseconds, batches }: Conditions): string {
  const cpu = cpus()[0]?.model ?? "unknown CPU";
  return [
    `Node ${process.version}, Linux ${release()}, ${cpu} (${availableParallelism()} cores), ${today()}.`,
    `h2load, HTTP/1.1 over a Unix socket, ${CLIENTS} connections, one worker; server and load on different cores.`,
    `${rounds} rounds of two windows of ${milliseconds} ms for each server, in ${batches} batches with fresh processes.`,
    "A ratio compares the windows of one round: requests per second with those of bare node:http, and the CPU time",
    "bare node:http took for a request with that of all processes of the server. Median, ± what it is uncertain by",
    "(95 %), and the quartiles in parentheses.",
  ].join("\n");
}

/** One table row for every scenario and server: rate and CPU time, and their ratios to the baseline. */
export function formatRates(rounds: readonly Round[], names: readonly ServerName[]): string {
  const rows = SCENARIOS.flatMap((scenario) => {
    const ofScenario = rounds.filter((round) => round.scenario === scenario);
    return names.map((name) => formatRow(scenario, name, ofScenario));
  });
  return [
    "| scenario | server | req/s | ratio | CPU µs/req | CPU ratio |",
    "| --- | --- | ---: | ---: | ---: | ---: |",
    ...rows,
  ].join("\n");
}

/** One table row for every idle process. */
export function formatMemory(processes: readonly (readonly [string, Memory])[]): string {
  const rows = processes.map(
    ([name, { pssMb, rssMb }]) => `| ${name} | ${pssMb.toFixed(1)} | ${rssMb.toFixed(1)} |`,
  );
  return ["| idle process | PSS, MB | RSS, MB |", "| --- | ---: | ---: |", ...rows].join("\n");
}

function formatRow(scenario: Scenario, name: ServerName, rounds: readonly Round[]): string {
  const own = rounds.map((round) => measurementOf(round, name));
  const bare = rounds.map((round) => measurementOf(round, "bare"));
  const rates = own.map(({ requestsPerSecond }) => requestsPerSecond);
  const times = own.map(({ cpuMicrosecondsPerRequest }) => cpuMicrosecondsPerRequest);
  const rateRatios = bare.map(
    (baseline, round) => (rates[round] ?? NaN) / baseline.requestsPerSecond,
  );
  const timeRatios = bare.map(
    (baseline, round) => baseline.cpuMicrosecondsPerRequest / (times[round] ?? NaN),
  );
  const cells = [
    scenario,
    TITLES[name],
    quartiles(rates).median.toFixed(0),
    name === "bare" ? "1" : formatRatio(rateRatios),
    quartiles(times).median.toFixed(1),
    name === "bare" ? "1" : formatRatio(timeRatios),
  ];
  return `| ${cells.join(" | ")} |`;
}

function measurementOf({ measurements }: Round, name: ServerName): Measurement {
  return measurements.get(name) ?? { requestsPerSecond: NaN, cpuMicrosecondsPerRequest: NaN };
}

function formatRatio(ratios: readonly number[]): string {
  const { q1, median, q3 } = quartiles(ratios);
  const error = medianError(ratios).toFixed(3);
  return `${median.toFixed(3)} ±${error} (${q1.toFixed(3)}–${q3.toFixed(3)})`;
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
