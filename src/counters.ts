import { DURATION_SLOTS, RequestDurations, type DurationSeries } from "./request-durations.ts";

/**
 * The numbers of one endpoint in one worker, as slots of a typed array: cheap to write on the hot
 * path, cheap to send, and added up slot by slot. Every slot only ever grows. What goes up and down
 * (open connections, requests in flight) is a difference of slots, so it can never drift.
 */

/** Why a connection ended. */
export const CLOSE_REASONS = [
  "client",
  "server",
  "idle_timeout",
  "error",
  "forced",
  "rebalanced",
  "tls_handshake",
  "worker_lost",
] as const;

/** Why a connection was turned away or ended, or a request refused before the app saw it. */
export const REJECT_REASONS = [
  "max_connections",
  "bad_request",
  "headers_too_large",
  "request_timeout",
  "request_line_too_long",
  "body_too_large",
  "proxy_protocol",
  "not_implemented",
  "unsupported_version",
  "max_streams",
  "protocol_error",
  "flood",
] as const;

/** Why a TLS handshake failed. */
export const HANDSHAKE_FAILURES = [
  "timeout", "not_tls", "client_certificate", "alert", "protocol", "closed", "other",
] as const; // prettier-ignore

export type CloseReason = (typeof CLOSE_REASONS)[number];
export type HandshakeFailure = (typeof HANDSHAKE_FAILURES)[number];
export type RejectReason = (typeof REJECT_REASONS)[number];

const ACCEPTED = 0;
const STARTED = 1;
const ABANDONED = 2;
const CLOSED = 3;
const REJECTED = CLOSED + CLOSE_REASONS.length;
const HANDSHAKES = REJECTED + REJECT_REASONS.length;
const ARRIVED = HANDSHAKES + HANDSHAKE_FAILURES.length;
const RECOGNIZED = ARRIVED + 1;
const WEB_SOCKETS_OPENED = RECOGNIZED + 1;
const WEB_SOCKETS_CLOSED = WEB_SOCKETS_OPENED + 1;
const DURATIONS = WEB_SOCKETS_CLOSED + 1;
/** Length of `EndpointCounters.slots`. */
export const COUNTER_SLOTS: number = DURATIONS + DURATION_SLOTS;

const CLOSE_INDEX = indexOfEach(CLOSE_REASONS);
const REJECT_INDEX = indexOfEach(REJECT_REASONS);
const HANDSHAKE_INDEX = indexOfEach(HANDSHAKE_FAILURES);

/** Counts for one endpoint. */
export class EndpointCounters {
  /** The numbers themselves; a copy of them is a snapshot. */
  readonly slots: Float64Array;
  readonly #durations: RequestDurations;
  readonly #onChange: () => void;

  constructor(
    slots: Float64Array = new Float64Array(COUNTER_SLOTS),
    onChange: () => void = () => {},
  ) {
    this.slots = slots;
    this.#durations = new RequestDurations(slots.subarray(DURATIONS));
    this.#onChange = onChange;
  }

  countAccepted(): void {
    this.#increase(ACCEPTED, 1);
  }

  /** Counts a connection of which nothing is known yet; it may be one of our own checks. */
  countArrived(): void {
    this.#increase(ARRIVED, 1);
  }

  /** Counts what has become known of connections that had arrived: a client's is accepted, a check of ours is none. */
  countRecognized(as: "client" | "check", connections = 1): void {
    this.#increase(RECOGNIZED, connections);
    if (as === "client") this.#increase(ACCEPTED, connections);
  }

  countClosed(reason: CloseReason, connections = 1): void {
    this.#increase(CLOSED + CLOSE_INDEX[reason], connections);
  }

  countRejected(reason: RejectReason): void {
    this.#increase(REJECTED + REJECT_INDEX[reason], 1);
  }

  countHandshakeFailure(failure: HandshakeFailure): void {
    this.#increase(HANDSHAKES + HANDSHAKE_INDEX[failure], 1);
  }

  countStarted(): void {
    this.#increase(STARTED, 1);
  }

  countWebSocketOpened(): void {
    this.#increase(WEB_SOCKETS_OPENED, 1);
  }

  countWebSocketsClosed(webSockets = 1): void {
    this.#increase(WEB_SOCKETS_CLOSED, webSockets);
  }

  /** Counts the end of a request. */
  countFinished(method: string | undefined, status: number, seconds: number): void {
    this.#durations.count(method, status, seconds);
    this.#onChange();
  }

  /** Gives up on requests in flight: whoever served them is gone. */
  abandonInFlight(): void {
    this.#increase(ABANDONED, this.inFlight);
  }

  /** Adds what another process counted for the same endpoint. */
  add(other: EndpointCounters): void {
    for (let slot = 0; slot < this.slots.length; slot += 1)
      this.#increase(slot, other.slots[slot] ?? 0);
  }

  /** Catches up with a copy of the same counts that may be the later one. */
  raiseTo(other: EndpointCounters): void {
    for (let slot = 0; slot < this.slots.length; slot += 1)
      this.slots[slot] = Math.max(this.#read(slot), other.#read(slot));
  }

  #increase(slot: number, by: number): void {
    this.slots[slot] = this.#read(slot) + by;
    this.#onChange();
  }

  #read(slot: number): number {
    return this.slots[slot] ?? 0;
  }

  copy(): EndpointCounters {
    return new EndpointCounters(this.slots.slice());
  }

  /** Connections that clients opened. */
  get accepted(): number {
    return this.#read(ACCEPTED);
  }

  /** Connections open now of which nothing is known yet. */
  get unrecognized(): number {
    return this.#read(ARRIVED) - this.#read(RECOGNIZED);
  }

  closed(reason: CloseReason): number {
    return this.#read(CLOSED + CLOSE_INDEX[reason]);
  }

  rejected(reason: RejectReason): number {
    return this.#read(REJECTED + REJECT_INDEX[reason]);
  }

  handshakeFailures(failure: HandshakeFailure): number {
    return this.#read(HANDSHAKES + HANDSHAKE_INDEX[failure]);
  }

  /** Connections open now. */
  get open(): number {
    const everOpen = this.accepted + this.unrecognized;
    return CLOSE_REASONS.reduce((open, reason) => open - this.closed(reason), everOpen);
  }

  /** WebSockets open now; each is an open connection as well. */
  get webSockets(): number {
    return this.#read(WEB_SOCKETS_OPENED) - this.#read(WEB_SOCKETS_CLOSED);
  }

  /** Requests that have ended. */
  get answered(): number {
    return this.durations().reduce((answered, { count }) => answered + count, 0);
  }

  /** Requests the app was given and has not ended yet. */
  get inFlight(): number {
    return this.#read(STARTED) - this.#read(ABANDONED) - this.answered;
  }

  /** Every combination of method and status class that was seen. */
  durations(): DurationSeries[] {
    return this.#durations.read();
  }
}

function indexOfEach<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number>;
}
