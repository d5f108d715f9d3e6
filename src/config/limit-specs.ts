import { DEFAULTS } from "./config.ts";
import { COUNT, HEADER_SIZE, POSITIVE_COUNT, SIZE, type ValueKind } from "./kinds.ts";
import type { LimitName } from "./limits.ts";

interface LimitSpec {
  readonly description: string;
  readonly kind: ValueKind<number>;
  readonly default: string | number;
}

/** The limits of requests, as rows of the table of options. */
export const LIMIT_SPECS: Readonly<Record<LimitName, LimitSpec>> = {
  "max-header-size": {
    description: "size of request line and headers together, above which a request is answered 431",
    kind: HEADER_SIZE,
    default: SIZE.format(DEFAULTS.limits.headerBytes).toString(),
  },
  "max-headers": {
    description: "headers above which a request is answered 431; 0 is no limit",
    kind: COUNT,
    default: DEFAULTS.limits.headerCount,
  },
  "max-request-line": {
    description:
      "size of the request line above which a request is answered 414; 0 leaves it to --max-header-size",
    kind: SIZE,
    default: SIZE.format(DEFAULTS.limits.requestLineBytes).toString(),
  },
  "max-body-size": {
    description: "size of a body above which a request is answered 413; 0 is no limit",
    kind: SIZE,
    default: SIZE.format(DEFAULTS.limits.bodyBytes).toString(),
  },
  "max-streams": {
    description: "streams that a connection of HTTP/2 may have open at once; one more ends it",
    kind: POSITIVE_COUNT,
    default: DEFAULTS.limits.streams,
  },
};
