import { DEFAULTS, type WebSocketCloseCode } from "./config.ts";
import { CLOSE_CODE, DURATION, type ValueKind } from "./kinds.ts";

interface Spec<T> {
  readonly description: string;
  readonly kind: ValueKind<T>;
  readonly default: string | number;
}

interface WebSocketSpecs {
  readonly "websocket-ping-interval": Spec<number>;
  readonly "websocket-close-code": Spec<WebSocketCloseCode>;
}

/** The options of WebSockets, as rows of the table of options. */
export const WEBSOCKET_SPECS: WebSocketSpecs = {
  "websocket-ping-interval": {
    description:
      "time between two pings of a WebSocket that was accepted for the app; one that is silent from one to the next is cut; 0 is never",
    kind: DURATION,
    default: DURATION.format(DEFAULTS.webSocketPingIntervalMs).toString(),
  },
  "websocket-close-code": {
    description:
      "how WebSockets are closed when a worker drains: service restart (1012), going away (1001), or not before the grace period is over (off)",
    kind: CLOSE_CODE,
    default: DEFAULTS.webSocketCloseCode,
  },
};
