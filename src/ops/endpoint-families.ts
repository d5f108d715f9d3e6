import { CLOSE_REASONS, HANDSHAKE_FAILURES, REJECT_REASONS } from "../counters.ts";
import { DURATION_BOUNDS_SECONDS, type DurationSeries } from "../request-durations.ts";
import type { EndpointView } from "../snapshot.ts";
import { perEndpoint, sample, type Family, type Sample } from "./family.ts";

/** Counts connections open on an endpoint: the kernel's own figure where it tells, ours elsewhere. */
export function openConnections(endpoint: EndpointView): number {
  return endpoint.kernel?.accepted ?? Math.max(endpoint.counters.open, 0);
}

/** Metrics with a series an endpoint. */
export const ENDPOINT_FAMILIES: readonly Family[] = [
  perEndpoint(
    {
      name: "outrigger_endpoint_up",
      type: "gauge",
      help: "Whether the endpoint is published and its socket file is ours.",
    },
    ({ up, transport }) => [sample(up ? 1 : 0, { transport })],
  ),
  perEndpoint(
    { name: "outrigger_endpoint_connections", type: "gauge", help: "Connections open now." },
    (endpoint) => [sample(openConnections(endpoint))],
  ),
  perEndpoint(
    {
      name: "outrigger_endpoint_connections_accepted_total",
      type: "counter",
      help: "Connections accepted.",
    },
    ({ counters }) => [sample(counters.accepted)],
  ),
  perEndpoint(
    {
      name: "outrigger_endpoint_connections_closed_total",
      type: "counter",
      help: "Connections ended, by reason.",
    },
    ({ counters }) => CLOSE_REASONS.map((reason) => sample(counters.closed(reason), { reason })),
  ),
  perEndpoint(
    {
      name: "outrigger_endpoint_connections_rejected_total",
      type: "counter",
      help: "Connections turned away, and requests refused before the app saw them, by reason.",
    },
    ({ counters }) => REJECT_REASONS.map((reason) => sample(counters.rejected(reason), { reason })),
  ),
  perEndpoint(
    {
      name: "outrigger_tls_handshake_failures_total",
      type: "counter",
      help: "TLS handshakes that failed, by reason.",
    },
    ({ counters, tls }) =>
      tls === undefined
        ? []
        : HANDSHAKE_FAILURES.map((reason) =>
            sample(counters.handshakeFailures(reason), { reason }),
          ),
  ),
  perEndpoint(
    {
      name: "outrigger_tls_certificate_expiry_seconds",
      type: "gauge",
      help: "When the certificate expires, since the Unix epoch; of a chain the first to expire.",
    },
    ({ tls }) => (tls === undefined ? [] : [sample(tls.expiresAtMs / 1_000)]),
  ),
  perEndpoint(
    {
      name: "outrigger_tls_certificate_current",
      type: "gauge",
      help: "Whether the certificate in use is that of the files: 0 when those cannot be used.",
    },
    ({ tls }) => (tls === undefined ? [] : [sample(tls.isCurrent ? 1 : 0)]),
  ),
  perEndpoint(
    {
      name: "outrigger_endpoint_accept_queue",
      type: "gauge",
      help: "Connections that wait in the kernel's accept queue.",
    },
    ({ kernel }) => (kernel === undefined ? [] : [sample(kernel.queued)]),
  ),
  perEndpoint(
    {
      name: "outrigger_endpoint_requests_in_flight",
      type: "gauge",
      help: "Requests the app was given and has not ended yet.",
    },
    ({ counters }) => [sample(Math.max(counters.inFlight, 0))],
  ),
  perEndpoint(
    {
      name: "outrigger_endpoint_websockets",
      type: "gauge",
      help: "WebSockets open now; each is a connection as well.",
    },
    ({ counters }) => [sample(Math.max(counters.webSockets, 0))],
  ),
  perEndpoint(
    {
      name: "http_server_request_duration_seconds",
      type: "histogram",
      help: "Duration of HTTP requests, by method and status class.",
    },
    ({ counters }) => counters.durations().flatMap(readHistogram),
  ),
];

function readHistogram({ method, status, buckets, sumSeconds, count }: DurationSeries): Sample[] {
  const labels = { method, status };
  let cumulative = 0;
  const lines = DURATION_BOUNDS_SECONDS.map((bound, index): Sample => {
    cumulative += buckets[index] ?? 0;
    return { suffix: "_bucket", labels: { ...labels, le: String(bound) }, value: cumulative };
  });
  return [
    ...lines,
    { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: count },
    { suffix: "_sum", labels, value: sumSeconds },
    { suffix: "_count", labels, value: count },
  ];
}
