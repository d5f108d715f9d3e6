import { request } from "./http.ts";

export type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Reads `/metrics` of an ops endpoint on this machine. */
export async function scrape(opsPort: number): Promise<Metrics> {
  const { status, body } = await request({ port: opsPort, path: "/metrics" });
  if (status !== 200) throw new Error(`/metrics answered ${status}`);
  return new Metrics(body.toString("utf8"));
}

/** A parsed exposition in Prometheus' text format. */
export class Metrics {
  readonly text: string;
  readonly samples: readonly Sample[];

  constructor(text: string) {
    this.text = text;
    this.samples = text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map(parseSample);
  }

  /** The one sample with this name and at least these labels; undefined when there is none. */
  value(name: string, labels: Labels = {}): number | undefined {
    const found = this.#select(name, labels);
    if (found.length > 1)
      throw new Error(`${name} has ${found.length} samples with ${JSON.stringify(labels)}`);
    return found[0]?.value;
  }

  /** The sum of all samples with this name and at least these labels (0 for none). */
  sum(name: string, labels: Labels = {}): number {
    return this.#select(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  /** Values by `name{label="value",…}`, labels in alphabetical order. */
  toMap(): Map<string, number> {
    return new Map(this.samples.map((sample) => [seriesOf(sample), sample.value]));
  }

  /** Series whose value may only grow: counters and the parts of histograms. */
  counters(): Map<string, number> {
    const families = [...this.text.matchAll(/^# TYPE (\S+) (counter|histogram)$/gm)].flatMap(
      ([, name = "", type]) =>
        type === "counter"
          ? [name, `${name}_total`]
          : [`${name}_bucket`, `${name}_sum`, `${name}_count`],
    );
    const names = new Set(families);
    const samples = this.samples.filter(({ name }) => names.has(name));
    return new Map(samples.map((sample) => [seriesOf(sample), sample.value]));
  }

  #select(name: string, labels: Labels): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) =>
        sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }
}

function parseSample(line: string): Sample {
  const [, name, labels = "", value] = /^([\w:]+)(?:\{(.*)\})? ([^ ]+)/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`Cannot parse sample "${line}"`);
  return { name, labels: parseLabels(labels), value: parseValue(value) };
}

function parseLabels(text: string): Labels {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return Object.fromEntries(pairs.map(([, name = "", value = ""]) => [name, unescape(value)]));
}

function unescape(value: string): string {
  return value.replaceAll(/\\(.)/g, (_, character: string) =>
    character === "n" ? "\n" : character,
  );
}

function parseValue(text: string): number {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

function seriesOf({ name, labels }: Sample): string {
  const pairs = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return pairs.length === 0
    ? name
    : `${name}{${pairs.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(",")}}`;
}
