/** A value at a place from 0 (the left end) to 1; `undefined` is a gap. */
export interface Point {
  readonly at: number;
  readonly value: number | undefined;
}

export interface Box {
  readonly width: number;
  readonly height: number;
  /** The value at the top edge; 0 is at the bottom. */
  readonly top: number;
}

/** An SVG path through the points; where there is a gap it begins anew. */
export function linePath(points: readonly Point[], box: Box): string {
  return runsOf(points)
    .map((run) => `M${run.map((point) => place(point, box)).join("L")}`)
    .join("");
}

/** An SVG path around what is between the points and the bottom. */
export function areaPath(points: readonly Point[], box: Box): string {
  return runsOf(points)
    .map((run) => {
      const [first, last] = [run[0], run.at(-1)];
      if (first === undefined || last === undefined) return "";
      const line = run.map((point) => place(point, box)).join("L");
      return `M${round(first.at * box.width)},${box.height}L${line}L${round(last.at * box.width)},${box.height}Z`;
    })
    .join("");
}

/** The least of 1, 2, 5, 10, 20, 50, … that is no less than the value, so that a scale seldom changes. */
export function topOf(value: number, least: number): number {
  if (!(value > least)) return least;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((step) => step * power >= value) ?? 10) * power;
}

interface Known {
  readonly at: number;
  readonly value: number;
}

/** Runs of neighbouring points that have a value. A run of one is drawn as a dot. */
function runsOf(points: readonly Point[]): Known[][] {
  const runs: Known[][] = [];
  let run: Known[] = [];
  for (const { at, value } of points) {
    if (value === undefined) run = [];
    else if (run.push({ at, value }) === 1) runs.push(run);
  }
  return runs.map((one) => (one.length === 1 ? [...one, ...one] : one));
}

function place({ at, value }: Known, { width, height, top }: Box): string {
  const part = top > 0 ? Math.min(Math.max(value / top, 0), 1) : 0;
  // Half a unit is left at both edges for the width of the line.
  return `${round(at * width)},${round(height - 0.75 - part * (height - 1.5))}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
