import type { EndpointView, Snapshot } from "../snapshot.ts";

export type Labels = Readonly<Record<string, string>>;

/** One line of the exposition. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** What follows the family's name, such as `_bucket`. */
  readonly suffix?: string;
}

/** A metric and how its samples are read from a snapshot. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter" | "histogram";
  read(snapshot: Snapshot): readonly Sample[];
}

/** Creates a sample, by default without labels. */
export function sample(value: number, labels: Labels = {}): Sample {
  return { labels, value };
}

/** Creates a family with a single sample and no labels. */
export function single(about: Omit<Family, "read">, read: (snapshot: Snapshot) => number): Family {
  return { ...about, read: (snapshot) => [sample(read(snapshot))] };
}

/** Creates a family with any number of samples an endpoint; each gets the endpoint's label first. */
export function perEndpoint(
  about: Omit<Family, "read">,
  read: (endpoint: EndpointView) => readonly Sample[],
): Family {
  return {
    ...about,
    read: (snapshot) =>
      snapshot.endpoints.flatMap((endpoint) =>
        read(endpoint).map((one) => ({
          ...one,
          labels: { endpoint: endpoint.name, ...one.labels },
        })),
      ),
  };
}
