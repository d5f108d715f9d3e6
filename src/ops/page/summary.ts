import type { StatusBody } from "../status-body.ts";
import type { Definition } from "./definitions.ts";
import { failedShareOf, rateOf } from "./endpoint-columns.ts";
import { formatCount, formatQuantile, formatRate, formatReason, formatShare } from "./format.ts";
import { quantileOf } from "./quantile.ts";
import type { Traffic } from "./traffic.ts";

/** What all endpoints do together. */
export function summarize(
  { endpoints }: StatusBody,
  recent: Traffic | undefined,
): readonly Definition[] {
  const sum = (read: (endpoint: StatusBody["endpoints"][number]) => number | undefined): string =>
    formatCount(endpoints.reduce((total, endpoint) => total + (read(endpoint) ?? 0), 0));
  return [
    { term: "Requests / s", value: formatRate(rateOf(recent)) },
    { term: "Latency p99", value: formatQuantile(recent && quantileOf(recent.durations, 0.99)) },
    { term: "5xx", value: formatShare(failedShareOf(recent)) },
    { term: "Connections", value: sum(({ connections }) => connections.open) },
    { term: "In flight", value: sum(({ requests }) => requests.in_flight) },
    { term: "Queued", value: sum(({ connections }) => connections.queued) },
  ];
}

/** What has happened since the start that an operator may have to know. */
export function listFacts({ endpoints, workers, ...status }: StatusBody): readonly Definition[] {
  return [
    { term: "Worker restarts", ...countByReason([workers.restarts]) },
    {
      term: "Connections accepted",
      value: formatCount(endpoints.reduce((sum, one) => sum + one.connections.accepted, 0)),
    },
    {
      term: "Turned away",
      ...countByReason(endpoints.map(({ connections }) => connections.rejected)),
    },
    { term: "Cut at the deadline", value: formatCount(status.forced_closes) },
    { term: "Socket files lost", value: formatCount(status.sockets.lost) },
    { term: "Stale sockets replaced", value: formatCount(status.sockets.stale_removed) },
  ];
}

/** The sum of counts, and each reason that was met. */
export function countByReason(
  tallies: readonly Readonly<Record<string, number>>[],
): Pick<Definition, "value" | "detail"> {
  const counts = new Map<string, number>();
  for (const [reason, count] of tallies.flatMap((tally) => Object.entries(tally)))
    counts.set(reason, (counts.get(reason) ?? 0) + count);
  const met = [...counts].filter(([, count]) => count > 0);
  const total = met.reduce((sum, [, count]) => sum + count, 0);
  const detail = met.map(([reason, count]) => `${formatReason(reason)} ${formatCount(count)}`);
  return { value: formatCount(total), detail: total === 0 ? "" : `(${detail.join(", ")})` };
}
