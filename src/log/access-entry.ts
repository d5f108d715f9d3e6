/** One ended request. Everything but the endpoint comes from the peer and is not to be trusted. */
export interface AccessEntry {
  readonly endpoint: string;
  /** Address of the client; `unix` when there is none. */
  readonly client: string;
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly status: number;
  readonly responseBytes: number;
  readonly durationSeconds: number;
  /** When it ended: whole milliseconds since 1970. */
  readonly endedAtMs: number;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
}

/** How access lines look; every line is ASCII and ends with a line break. */
export interface AccessFormat {
  line(entry: AccessEntry): string;
  /** The line that says how many others are missing. */
  dropped(count: number, nowMs: number): string;
}
