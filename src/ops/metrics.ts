import { Registry, type Metric, type OpenMetricsContentType } from "prom-client";
import type { Snapshot } from "../snapshot.ts";
import { ENDPOINT_FAMILIES } from "./endpoint-families.ts";
import type { Family, Sample } from "./family.ts";
import type { MetricsFormat } from "./negotiate.ts";
import { PROCESS_FAMILIES } from "./process-families.ts";
import { PROGRAM_FAMILIES } from "./program-families.ts";

const FAMILIES: readonly Family[] = [
  ...PROGRAM_FAMILIES,
  ...ENDPOINT_FAMILIES,
  ...PROCESS_FAMILIES,
];

/** A page of metrics and the `Content-Type` it must be sent with. */
export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/** Writes a snapshot in one of the formats Prometheus reads. */
export type MetricsWriter = (format: MetricsFormat, snapshot: Snapshot) => Promise<Exposition>;

type AnyRegistry = Registry | Registry<OpenMetricsContentType>;

/** Creates a writer with registries of its own: prom-client's global one belongs to whoever embeds us. */
export function createMetricsWriter(): MetricsWriter {
  // A registry renames its counters when it writes OpenMetrics, so the two formats cannot share one.
  const text = new Registry();
  const openMetrics = new Registry<OpenMetricsContentType>();
  openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const writers = {
    text: writerOf(text, "text"),
    openmetrics: writerOf(openMetrics, "openmetrics"),
  };
  return (format, snapshot) => writers[format](snapshot);
}

function writerOf(
  registry: AnyRegistry,
  format: MetricsFormat,
): (snapshot: Snapshot) => Promise<Exposition> {
  let current: Snapshot | undefined;
  for (const family of FAMILIES) {
    registry.registerMetric(
      asMetric(family, { format, read: () => (current ? family.read(current) : []) }),
    );
  }
  return async (snapshot) => {
    // The registry calls every get() before it waits for any, so scrapes that overlap do not mix.
    current = snapshot;
    const text = await registry.metrics();
    return { contentType: registry.contentType, text };
  };
}

interface MetricSource {
  readonly format: MetricsFormat;
  readonly read: () => readonly Sample[];
}

/**
 * prom-client asks a registered metric for `name`, `help`, `type` and `get()` only; its types insist on its
 * own classes, which cannot be set to totals that were counted elsewhere. The version is pinned and
 * the tests read what it writes.
 */
function asMetric({ name, help, type }: Family, { format, read }: MetricSource): Metric {
  // In OpenMetrics a counter's family has no `_total`; prom-client adds it to the samples.
  const familyName =
    format === "openmetrics" && type === "counter" ? name.replace(/_total$/, "") : name;
  const about = { name: familyName, help, type, aggregator: "sum" };
  const metric = {
    ...about,
    get: () => ({
      ...about,
      values: read()
        .filter(isNumber)
        .map((one) => asValue(one, { familyName, format })),
    }),
  };
  return metric as unknown as Metric;
}

function asValue(
  { labels, value, suffix }: Sample,
  naming: { familyName: string; format: MetricsFormat },
): object {
  const { familyName, format } = naming;
  const { le, ...others } = labels;
  // OpenMetrics wants bounds as floats: `1.0`, where the older text format has `1`.
  const bound = format === "openmetrics" && le !== undefined && /^\d+$/.test(le) ? `${le}.0` : le;
  return {
    value,
    labels: bound === undefined ? others : { ...others, le: bound },
    ...(suffix === undefined ? {} : { metricName: familyName + suffix }),
  };
}

/** An event-loop histogram without a sample has no mean; no line says so better than `NaN`. */
function isNumber(one: Sample): boolean {
  return Number.isFinite(one.value);
}
