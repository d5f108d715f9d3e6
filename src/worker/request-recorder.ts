import type { EndpointContext } from "../app/context.ts";
import { findClient } from "../app/forwarded.ts";
import { peerOf } from "../app/identity.ts";
import { requestIdOf } from "../app/request-id.ts";
import { parseTraceparent } from "../app/traceparent.ts";
import type { Exchange } from "../http/engine.ts";
import type { Refused } from "../http/refusal.ts";
import { readRequestHeaders } from "../app/request-headers.ts";
import type { AccessLog } from "../log/access.ts";
import { createWallTime } from "../log/wall-time.ts";

/** Writes the ended requests of one endpoint to the access log. */
export interface RequestRecorder {
  /** Whether the bytes of a response are worth measuring. */
  readonly wantsBytes: boolean;
  record(exchange: Exchange): void;
  /** Writes down what was refused before it came to be a request of the app. */
  recordRefused(refused: Refused): void;
}

/** For when there is no access log. */
export const NO_RECORDER: RequestRecorder = { wantsBytes: false, record() {}, recordRefused() {} };

/** Creates the recorder of an endpoint. */
export function createRequestRecorder(log: AccessLog, endpoint: EndpointContext): RequestRecorder {
  const nobody = "path" in endpoint.server ? "unix" : "-";
  const wallTime = createWallTime();
  return {
    wantsBytes: true,
    record(exchange) {
      const { request } = exchange;
      const headers = readRequestHeaders(request.rawHeaders);
      const client = findClient({
        headers,
        peer: peerOf(request.socket),
        trusted: endpoint.trusted,
      });
      log.record({
        endpoint: endpoint.name,
        client: client?.address ?? nobody,
        method: exchange.method ?? "",
        target: exchange.target ?? "",
        httpVersion: exchange.httpVersion,
        status: exchange.status,
        responseBytes: exchange.bytesSent,
        durationSeconds: exchange.durationSeconds,
        reason: exchange.refusedFor,
        requestId: requestIdOf(request, headers),
        trace: parseTraceparent(headers.traceparent),
        endedAtMs: wallTime(exchange.endedAt),
        referer: headers.referer,
        userAgent: headers.userAgent,
      });
    },
    recordRefused({ refusal, socket, request, line, bytesSent, durationSeconds }) {
      const headers = readRequestHeaders(request?.rawHeaders ?? []);
      const client = findClient({ headers, peer: peerOf(socket), trusted: endpoint.trusted });
      log.record({
        endpoint: endpoint.name,
        client: client?.address ?? nobody,
        method: request?.method ?? line?.method,
        target: request?.url ?? line?.target,
        httpVersion: request?.httpVersion ?? line?.httpVersion ?? "1.1",
        status: refusal.status,
        responseBytes: bytesSent,
        durationSeconds,
        endedAtMs: wallTime(performance.now()),
        referer: headers.referer,
        userAgent: headers.userAgent,
        reason: refusal.reason,
        requestId: request && requestIdOf(request, headers),
        trace: parseTraceparent(headers.traceparent),
      });
    },
  };
}
