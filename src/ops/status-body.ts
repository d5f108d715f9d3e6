/**
 * The JSON of `/status`, which scripts, `outrigger status` and the status page read. Times are ISO 8601; what is not
 * known is absent.
 */
export interface StatusBody {
  readonly version: string;
  readonly node: string;
  /** Name of the machine: in Kubernetes, of the pod. */
  readonly host: string;
  readonly phase: string;
  /** `/readyz` passes. */
  readonly ready: boolean;
  /** A sentence for each check of `/readyz` that fails. */
  readonly not_ready_because: readonly string[];
  readonly started_at: string;
  readonly uptime_seconds: number;
  readonly taken_at: string;
  readonly drain_started_at?: string | undefined;
  /** When what is still open is cut. */
  readonly drain_deadline_at?: string | undefined;
  readonly endpoints: readonly EndpointBody[];
  readonly workers: {
    readonly wanted: number;
    readonly min_ready: number;
    readonly stuck: boolean;
    readonly backoffs: readonly BackoffBody[];
    /** Workers whose numbers are older because they did not answer in time. */
    readonly missing: number;
    /** By reason. */
    readonly restarts: Readonly<Record<string, number>>;
    readonly slots: readonly WorkerBody[];
  };
  readonly sockets: { readonly stale_removed: number; readonly lost: number };
  readonly forced_closes: number;
  readonly supervisor: {
    readonly pid: number;
    readonly resident_bytes: number;
    /** The signal that announces the drain. */
    readonly drain_signal?: string | undefined;
  };
}

/** The certificate of an endpoint. */
export interface TlsBody {
  readonly expires_at: string;
  /** The files as they are now are those in use. */
  readonly current: boolean;
}

export interface EndpointBody {
  readonly name: string;
  readonly transport: string;
  readonly address: string;
  readonly up: boolean;
  readonly problem?: string | undefined;
  /** Absent where it does not speak TLS. */
  readonly tls?: TlsBody | undefined;
  readonly connections: {
    readonly open: number;
    readonly queued?: number | undefined;
    readonly accepted: number;
    /** By reason. */
    readonly closed: Readonly<Record<string, number>>;
    /** By reason. */
    readonly rejected: Readonly<Record<string, number>>;
  };
  readonly requests: {
    readonly in_flight: number;
    readonly ended: number;
    /** Ended ones by class, `1xx` to `5xx`. */
    readonly by_status: Readonly<Record<string, number>>;
    readonly duration: DurationBody;
  };
}

/** A histogram of the requests that have ended. */
export interface DurationBody {
  /** Upper bounds of all buckets but the last, which has none. */
  readonly bounds_seconds: readonly number[];
  /** Requests per bucket, not cumulative. */
  readonly buckets: readonly number[];
  readonly sum_seconds: number;
}

export interface WorkerBody {
  readonly slot: number;
  readonly pid?: number | undefined;
  readonly state: string;
  /** It has not reported for this long; one that is well reports every second. */
  readonly silent_seconds: number;
  readonly connections: number;
  readonly requests_in_flight: number;
  readonly healthy?: boolean | undefined;
  readonly health_message?: string | undefined;
  readonly uptime_seconds?: number | undefined;
  readonly resident_bytes?: number | undefined;
  /** 99th percentile since it was read last. */
  readonly event_loop_delay_seconds?: number | undefined;
}

export interface BackoffBody {
  readonly slot: number;
  /** Ends in a row. */
  readonly failures: number;
  readonly retry_in_seconds: number;
}
