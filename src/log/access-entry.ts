/** One ended request. Everything but the endpoint comes from the peer and is not to be trusted. */
export interface AccessEntry {
  readonly endpoint: string;
  /** Address of the client; `unix` when there is none. */
  readonly client: string;
  /** Undefined, as is the target, when nothing was asked that could be read. */
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly httpVersion: string;
  readonly status: number;
  readonly responseBytes: number;
  /** Undefined when nobody knows when it began. */
  readonly durationSeconds: number | undefined;
  /** When it ended: whole milliseconds since 1970. */
  readonly endedAtMs: number;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
  /** Letters, digits and a few signs, at most 128; undefined where there was no request. */
  readonly requestId: string | undefined;
  /** Hexadecimal digits; undefined without a `traceparent`. */
  readonly trace: { readonly traceId: string; readonly spanId: string } | undefined;
  /** Why we answered instead of the app; undefined when it did. */
  readonly reason: string | undefined;
}

/** How access lines look; every line is ASCII and ends with a line break. */
export interface AccessFormat {
  line(entry: AccessEntry): string;
  /** The line that says how many others are missing. */
  dropped(count: number, nowMs: number): string;
}
