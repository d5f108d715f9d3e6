import { formatSize, parseSize } from "./size.ts";
import { ValueError } from "./value-error.ts";
import { parseCount, parsePositiveCount } from "./values.ts";

const LEAST_HEADER_BYTES = 2 ** 10;
const MOST_HEADER_BYTES = 2 ** 24;

/** What a request, and a connection with many of them, may not exceed on an endpoint. */
export interface RequestLimits {
  /** Bytes of request line and headers together. */
  readonly headerBytes: number;
  /** Headers of one request; 0 is no limit. */
  readonly headerCount: number;
  /** Bytes of the request line; 0 is no limit but that of the headers. */
  readonly requestLineBytes: number;
  /** Bytes of a request's body; 0 is no limit. */
  readonly bodyBytes: number;
  /** Streams that one connection of HTTP/2 may have open. */
  readonly streams: number;
}

interface LimitOption {
  readonly field: keyof RequestLimits;
  readonly parse: (text: string) => number;
  readonly format: (value: number) => string;
}

/** The options that set them, of the program and of an endpoint alike. */
export const LIMIT_NAMES = [
  "max-header-size",
  "max-headers",
  "max-request-line",
  "max-body-size",
  "max-streams",
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];

/** How each is read and written. */
export const LIMIT_OPTIONS: Readonly<Record<LimitName, LimitOption>> = {
  "max-header-size": { field: "headerBytes", parse: parseHeaderSize, format: formatSize },
  "max-headers": { field: "headerCount", parse: parseCount, format: String },
  "max-request-line": { field: "requestLineBytes", parse: parseSize, format: formatSize },
  "max-body-size": { field: "bodyBytes", parse: parseSize, format: formatSize },
  "max-streams": { field: "streams", parse: parsePositiveCount, format: String },
};

/** Puts limits together from what is said about each; the others stay as they are. */
export function chooseLimits(
  read: (name: LimitName) => number | undefined,
  others: RequestLimits,
): RequestLimits {
  const given = LIMIT_NAMES.map((name) => [LIMIT_OPTIONS[name].field, read(name)] as const);
  return { ...others, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}

/** Writes the limits that are not those of `others`, by option. */
export function formatLimits(
  limits: RequestLimits,
  others: RequestLimits,
): readonly (readonly [LimitName, string])[] {
  return LIMIT_NAMES.flatMap((name) => {
    const { field, format } = LIMIT_OPTIONS[name];
    return limits[field] === others[field] ? [] : [[name, format(limits[field])] as const];
  });
}

/** Reads a size that HTTP can do with: no limit at all would let one request fill the memory. */
export function parseHeaderSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes >= LEAST_HEADER_BYTES && bytes <= MOST_HEADER_BYTES) return bytes;
  throw new ValueError(
    text,
    `expected ${formatSize(LEAST_HEADER_BYTES)} to ${formatSize(MOST_HEADER_BYTES)}`,
  );
}
