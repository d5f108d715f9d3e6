import type { EndpointBody } from "../status-body.ts";
import { createChart, type Curve } from "./chart.ts";
import { append, setText } from "./dom.ts";
import { formatCount, formatLatency, formatQuantile, formatRate, formatShare } from "./format.ts";
import type { Moment } from "./history.ts";
import type { Column } from "./keyed-table.ts";
import { meanOf, quantileOf } from "./quantile.ts";
import type { Traffic } from "./traffic.ts";

/** An endpoint and what it did lately. */
export interface EndpointRow {
  readonly body: EndpointBody;
  readonly recent: Traffic | undefined;
  readonly moments: readonly Moment[];
}

export const ENDPOINT_COLUMNS: readonly Column<EndpointRow>[] = [
  { title: "Endpoint", className: "words endpoint", create: createName },
  textColumn("Connections", ({ body }) => formatCount(body.connections.open)),
  textColumn("Queued", ({ body }) => formatCount(body.connections.queued)),
  textColumn("In flight", ({ body }) => formatCount(body.requests.in_flight)),
  chartColumn("Requests / s", ({ recent }) => formatRate(rateOf(recent)), {
    title: "Requests per second",
    leastTop: 1,
    line: rateOf,
    area: rateOf,
    format: formatRate,
  }),
  textColumn("Latency p50", ({ recent }) =>
    formatQuantile(recent && quantileOf(recent.durations, 0.5)),
  ),
  chartColumn(
    "Latency p99",
    ({ recent }) => formatQuantile(recent && quantileOf(recent.durations, 0.99)),
    {
      title: "99th percentile of the latency",
      leastTop: 0.01,
      line: ({ durations }) => quantileOf(durations, 0.99)?.seconds,
      area: ({ durations }) => meanOf(durations),
      format: formatLatency,
    },
  ),
  { title: "5xx", create: createFailed },
  textColumn("Requests", ({ body }) => formatCount(body.requests.ended)),
];

/** Requests per second. */
export function rateOf(traffic: Traffic): number;
export function rateOf(traffic: Traffic | undefined): number | undefined;
export function rateOf(traffic: Traffic | undefined): number | undefined {
  return traffic && traffic.requests / traffic.seconds;
}

/** The share of requests that were answered with 5xx; undefined without requests. */
export function failedShareOf(traffic: Traffic | undefined): number | undefined {
  return traffic === undefined || traffic.requests === 0
    ? undefined
    : traffic.failed / traffic.requests;
}

function createName(cell: HTMLElement): (row: EndpointRow) => void {
  const name = append(cell, "span", "name");
  const address = append(cell, "span", "address");
  const problem = append(cell, "span", "problem");
  return ({ body }) => {
    setText(name, body.name);
    // An endpoint without a name of its own is called by its address.
    setText(address, body.address === body.name ? "" : body.address);
    setText(problem, body.up ? "" : (body.problem ?? "not published"));
  };
}

function createFailed(cell: HTMLElement): (row: EndpointRow) => void {
  return ({ recent }) => {
    const share = failedShareOf(recent);
    setText(cell, formatShare(share));
    cell.classList.toggle("failing", share !== undefined && share > 0);
  };
}

function textColumn(title: string, read: (row: EndpointRow) => string): Column<EndpointRow> {
  return { title, create: (cell) => (row) => setText(cell, read(row)) };
}

function chartColumn(
  title: string,
  read: (row: EndpointRow) => string,
  curve: Curve,
): Column<EndpointRow> {
  return {
    title,
    className: "charted",
    create: (cell) => {
      const box = append(cell, "div");
      const draw = createChart(box, curve);
      const figure = append(box, "span", "figure");
      return (row) => {
        setText(figure, read(row));
        draw(row.moments);
      };
    },
  };
}
