import type { Socket } from "node:net";
import { connectionOf } from "../app/context.ts";
import { peerOf } from "../app/identity.ts";
import type { EndpointCounters } from "../counters.ts";
import type { EngineEvents, Exchange } from "../http/engine.ts";
import type { UpgradeEvents } from "../http/upgrades.ts";
import type { Logger } from "../log/logger.ts";
import type { Connections } from "./connections.ts";
import type { RequestRecorder } from "./request-recorder.ts";

/** Where what happens on one endpoint is written down. */
export interface EndpointBooks {
  readonly counters: EndpointCounters;
  readonly connections: Connections;
  readonly recorder: RequestRecorder;
  readonly log: Logger;
  readonly endpoint: string;
  /** Called after each request with its connection. */
  readonly onEnded: (connection: Socket) => void;
}

/** Writes down what becomes of requests. */
export function createEngineEvents(books: EndpointBooks): Omit<EngineEvents, "succeeded"> {
  const { counters, connections, recorder, log, endpoint, onEnded } = books;
  return {
    requestStarted: (socket) => {
      connections.recognize(socket);
      counters.countStarted();
    },
    requestEnded: (exchange) => {
      counters.countFinished(exchange.method, exchange.status, exchange.durationSeconds);
      recorder.record(exchange);
      onEnded(connectionOf(exchange.request));
    },
    rejected: (reason) => counters.countRejected(reason),
    refused: (refused) => recorder.recordRefused(refused),
    ended: (socket, reason, { message }) => {
      counters.countRejected(reason);
      const client = peerOf(socket).remoteAddress;
      log.debug({ endpoint, reason, client, error: message }, "http2 session ended");
    },
    checked: (socket) => connections.disown(socket),
    closing: (socket, reason) => connections.attribute(socket, reason),
    shed: (socket) => connections.attribute(socket, "rebalanced"),
  };
}

/** Writes down what becomes of upgrades: each is a request until it is answered, and logged when it is all over. */
export function createUpgradeEvents(books: EndpointBooks): UpgradeEvents {
  const { counters, connections, recorder, onEnded } = books;
  const count = (exchange: Exchange): void => {
    counters.countFinished(exchange.method, exchange.status, exchange.durationSeconds);
    onEnded(connectionOf(exchange.request));
  };
  return {
    asked: (request) => {
      connections.recognize(connectionOf(request));
      counters.countStarted();
    },
    refused: (exchange) => {
      count(exchange);
      recorder.record(exchange);
    },
    switched: ({ exchange, isWebSocket }) => {
      count(exchange);
      if (isWebSocket) counters.countWebSocketOpened();
    },
    ended: ({ exchange, isWebSocket }) => {
      if (isWebSocket) counters.countWebSocketsClosed();
      recorder.record(exchange);
    },
  };
}
