/** A representation we can send. */
export interface Offer<Name extends string> {
  readonly name: Name;
  /** Media type without parameters, lower case. */
  readonly type: string;
  /** Values of the `version` parameter a client may name for this one; any other does not match. */
  readonly versions?: readonly string[];
}

interface AcceptRange {
  readonly type: string;
  readonly version: string | undefined;
  readonly quality: number;
}

export type MetricsFormat = "text" | "openmetrics";
export type ProbeFormat = "text" | "json";
export type StatusFormat = "json" | "page";

/** What can be sent for one resource; the first one answers a wildcard and what we do not speak. */
export type Offers<Name extends string> = readonly [Offer<Name>, ...Offer<Name>[]];

/** Formats of `/metrics`. */
export const METRICS_OFFERS: Offers<MetricsFormat> = [
  // A client that asks for text 1.0.0 reads 0.0.4 as well: the content type says which it got.
  { name: "text", type: "text/plain", versions: ["0.0.4", "1.0.0"] },
  { name: "openmetrics", type: "application/openmetrics-text", versions: ["1.0.0", "0.0.1"] },
];

/** Formats of a probe's answer. */
export const PROBE_OFFERS: Offers<ProbeFormat> = [
  { name: "text", type: "text/plain" },
  { name: "json", type: "application/health+json" },
];

/** Formats of `/status`; only a browser names HTML. */
export const STATUS_OFFERS: Offers<StatusFormat> = [
  { name: "json", type: "application/json" },
  { name: "page", type: "text/html" },
];

/**
 * Picks the offer an `Accept` header likes best; the earlier offer wins a tie, and the first one is sent
 * when none is acceptable: a body in the wrong format helps a person more than a 406.
 */
export function negotiate<Name extends string>(
  accept: string | undefined,
  offers: Offers<Name>,
): Name {
  const ranges = parseAccept(accept ?? "*/*");
  let best: { name: Name; quality: number } = { name: offers[0].name, quality: 0 };
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges);
    if (quality > best.quality) best = { name: offer.name, quality };
  }
  return best.name;
}

/** Whether an `Accept-Encoding` header allows gzip. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const codings = parseAccept(acceptEncoding ?? "");
  const gzip =
    codings.find(({ type }) => type === "gzip" || type === "x-gzip") ??
    codings.find(({ type }) => type === "*");
  return gzip !== undefined && gzip.quality > 0;
}

/** The most specific range decides; of equally specific ones, the one with the highest quality. */
function qualityOf(offer: Offer<string>, ranges: readonly AcceptRange[]): number {
  const family = `${offer.type.split("/")[0]}/*`;
  const tiers = [
    ranges.filter(
      (range) =>
        range.type === offer.type && range.version !== undefined && speaks(offer, range.version),
    ),
    ranges.filter((range) => range.type === offer.type && range.version === undefined),
    ranges.filter((range) => range.type === family),
    ranges.filter((range) => range.type === "*/*"),
  ];
  const decisive = tiers.find((tier) => tier.length > 0) ?? [];
  return Math.max(0, ...decisive.map((range) => range.quality));
}

function speaks(offer: Offer<string>, version: string): boolean {
  return offer.versions === undefined || offer.versions.includes(version);
}

function parseAccept(header: string): AcceptRange[] {
  return header.split(",").flatMap((item) => {
    const [type = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    if (type === "") return [];
    return [
      {
        type,
        version: parameter(parameters, "version"),
        quality: parseQuality(parameter(parameters, "q")),
      },
    ];
  });
}

function parameter(parameters: readonly string[], name: string): string | undefined {
  for (const text of parameters) {
    const [key = "", value = ""] = text.split("=", 2);
    if (key.trim() === name) return value.trim().replaceAll('"', "");
  }
  return undefined;
}

/** Between 0 and 1; a quality nobody can read makes the item unwanted. */
function parseQuality(text: string | undefined): number {
  if (text === undefined) return 1;
  const quality = text === "" ? Number.NaN : Number(text);
  return Number.isNaN(quality) ? 0 : Math.min(Math.max(quality, 0), 1);
}
