import { setAttribute } from "./dom.ts";
import { HISTORY_SECONDS, type Moment } from "./history.ts";
import { areaPath, linePath, topOf, type Point } from "./sparkline.ts";
import type { Traffic } from "./traffic.ts";

const SVG = "http://www.w3.org/2000/svg";
const LEAST_SPAN_MS = 30_000;
const SIZE = { width: 120, height: 30 };

/** What a chart shows of each moment; `undefined` is a gap. */
export interface Curve {
  /** What it is, for those who cannot see it. */
  readonly title: string;
  /** The top edge stands for this much at least. */
  readonly leastTop: number;
  readonly line: (traffic: Traffic) => number | undefined;
  readonly area: (traffic: Traffic) => number | undefined;
  readonly format: (value: number) => string;
}

/** Creates a sparkline in a cell; the function it returns draws it. */
export function createChart(parent: Element, curve: Curve): (moments: readonly Moment[]) => void {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${SIZE.width} ${SIZE.height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const area = svg.appendChild(document.createElementNS(SVG, "path"));
  area.setAttribute("class", "area");
  const line = svg.appendChild(document.createElementNS(SVG, "path"));
  parent.append(svg);
  return (moments) => {
    const lines = pointsOf(moments, curve.line);
    const areas = pointsOf(moments, curve.area);
    const values = lines.flatMap(({ value }) => value ?? []);
    const top = topOf(Math.max(0, ...values), curve.leastTop);
    setAttribute(line, "d", linePath(lines, { ...SIZE, top }));
    setAttribute(area, "d", areaPath(areas, { ...SIZE, top }));
    setAttribute(svg, "aria-label", describe(values, curve));
  };
}

function pointsOf(
  moments: readonly Moment[],
  read: (traffic: Traffic) => number | undefined,
): Point[] {
  const endMs = moments.at(-1)?.atMs ?? 0;
  const knownMs = endMs - (moments[0]?.atMs ?? endMs);
  // While little is known it is not squeezed into a corner.
  const spanMs = Math.min(Math.max(knownMs, LEAST_SPAN_MS), HISTORY_SECONDS * 1000);
  return moments
    .map(({ atMs, traffic }) => ({
      at: 1 - (endMs - atMs) / spanMs,
      value: traffic && read(traffic),
    }))
    .filter(({ at }) => at >= 0);
}

function describe(values: readonly number[], { title, format }: Curve): string {
  const last = values.at(-1);
  if (last === undefined) return `${title}: nothing to show yet`;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${title}: ${format(last)} now, between ${format(least)} and ${format(most)} in the last 2 minutes`;
}
