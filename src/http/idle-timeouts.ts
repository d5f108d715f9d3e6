import net, { type Socket } from "node:net";
import { performance } from "node:perf_hooks";

/** A connection that has idled for so long gets its timer. */
const ARM_AFTER_MS = 1_000;
/** A timeout that is not longer by so much is left to node:http: it could be over before it is looked at. */
const LEAST_FACTOR = 5;
const BUSY = Number.POSITIVE_INFINITY;

/** Since when a connection idles, on the clock of `performance.now()`; kept on the socket, as a map would cost more. */
const IDLE_SINCE: unique symbol = Symbol("idle since");

interface WatchedSocket extends Socket {
  [IDLE_SINCE]?: number;
}

/**
 * Spares busy connections their idle timers. node:http sets one when a response ends and clears it
 * when the next request begins: 0.6 µs, which is five per cent of a short request. Here the end of a
 * response is only noted down. Who still idles a second later gets the timer, for the time that is
 * left, and what follows is node:http's own.
 */
export class IdleTimeouts {
  readonly #timeoutMs: number;
  readonly #armAfterMs: number;
  readonly #sockets = new Set<WatchedSocket>();
  readonly #setTimeout = createLateSetTimeout((socket, ms) => this.#idleSince(socket, ms));
  readonly #sweeps: NodeJS.Timeout | undefined;
  #answered: Socket | undefined;
  #answeredAt = 0;

  /** @param timeoutMs What node:http sets after a response. */
  constructor(timeoutMs: number, armAfterMs: number = ARM_AFTER_MS) {
    this.#timeoutMs = timeoutMs;
    this.#armAfterMs = armAfterMs;
    if (timeoutMs >= LEAST_FACTOR * armAfterMs)
      this.#sweeps = setInterval(() => this.#sweep(), armAfterMs).unref();
  }

  /** Takes over the idle timeout of a connection; what only looks like one, as a stream of HTTP/2 does, has none. */
  watch(socket: WatchedSocket): void {
    if (this.#sweeps === undefined || !(socket instanceof net.Socket)) return;
    this.#sockets.add(socket);
    socket[IDLE_SINCE] = BUSY;
    socket.setTimeout = this.#setTimeout;
  }

  /** Lets go of a connection that has closed. */
  forget(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /** Notes that a response has ended; node:http sets the timeout next, before anything else happens. */
  answered(socket: Socket, at: number): void {
    this.#answered = socket;
    this.#answeredAt = at;
  }

  /** Arms no more. */
  stop(): void {
    clearInterval(this.#sweeps);
  }

  /** Undefined for a timeout that the app sets. */
  #idleSince(socket: Socket, ms: number): number | undefined {
    return socket === this.#answered && ms === this.#timeoutMs ? this.#answeredAt : undefined;
  }

  #sweep(): void {
    const now = performance.now();
    for (const socket of this.#sockets) {
      const idleMs = now - (socket[IDLE_SINCE] ?? BUSY);
      if (idleMs < this.#armAfterMs || isArmed(socket)) continue;
      setTimeoutNow(socket, Math.max(Math.ceil(this.#timeoutMs - idleMs), 1));
    }
  }
}

/** A `socket.setTimeout` that touches no timer where none is armed and none is wanted yet. */
function createLateSetTimeout(
  idleSince: (socket: Socket, ms: number) => number | undefined,
): Socket["setTimeout"] {
  return function setTimeoutLate(this: WatchedSocket, ms, callback) {
    if (callback !== undefined) return setTimeoutNow(this, ms, callback);
    const since = idleSince(this, ms);
    this[IDLE_SINCE] = since ?? BUSY;
    if (since === undefined && ms !== 0) return setTimeoutNow(this, ms);
    // One that the app has set ends with the response, or with the next request.
    return isArmed(this) ? setTimeoutNow(this, 0) : this;
  };
}

function setTimeoutNow<Self extends Socket>(socket: Self, ms: number, callback?: () => void): Self {
  net.Socket.prototype.setTimeout.call(socket, ms, callback);
  return socket;
}

function isArmed({ timeout }: Socket): boolean {
  return timeout !== undefined && timeout > 0;
}
