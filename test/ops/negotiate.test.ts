import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  acceptsGzip,
  METRICS_OFFERS,
  negotiate,
  PROBE_OFFERS,
  STATUS_OFFERS,
} from "../../src/ops/negotiate.ts";

const PROMETHEUS_3 =
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5," +
  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

const METRICS: [accept: string | undefined, format: string][] = [
  [undefined, "text"],
  ["", "text"],
  ["*/*", "text"],
  ["text/*", "text"],
  ["text/html,application/xhtml+xml,*/*;q=0.8", "text"],
  ["text/plain;version=0.0.4", "text"],
  ["text/plain; version=1.0.0", "text"],
  [PROMETHEUS_3, "openmetrics"],
  ["application/openmetrics-text", "openmetrics"],
  ['Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', "openmetrics"],
  ["application/openmetrics-text; version=0.0.1", "openmetrics"],
  ["application/openmetrics-text; version=2.0.0, */*;q=0.1", "text"],
  ["application/openmetrics-text;q=0.3, text/plain;q=0.7", "text"],
  ["application/openmetrics-text;q=0.7, text/plain;q=0.3", "openmetrics"],
  ["application/openmetrics-text;q=0, */*", "text"],
  ["text/plain;q=0, */*;q=0.5", "openmetrics"],
  ["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", "text"],
  ["application/openmetrics-text;q=much, text/plain;q=0.1", "text"],
  [",;=,;q,", "text"],
];

describe("negotiate", () => {
  for (const [accept, format] of METRICS) {
    it(`answers ${JSON.stringify(accept)} with ${format}`, () => {
      assert.equal(negotiate(accept, METRICS_OFFERS), format);
    });
  }

  for (const [accept, format] of [
    ["application/health+json", "json"],
    ["application/health+json;q=0.9, text/plain;q=0.1", "json"],
    ["application/health+json;q=0.1, text/plain;q=0.9", "text"],
    ["*/*", "text"],
  ] as const) {
    it(`answers a probe that accepts ${accept} with ${format}`, () => {
      assert.equal(negotiate(accept, PROBE_OFFERS), format);
    });
  }

  for (const [accept, format] of [
    [undefined, "json"],
    ["*/*", "json"],
    ["application/json", "json"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "page"],
    ["text/html", "page"],
    ["application/json, text/html;q=0.5", "json"],
  ] as const) {
    it(`answers a question for the status that accepts ${accept} with ${format}`, () => {
      assert.equal(negotiate(accept, STATUS_OFFERS), format);
    });
  }
});

describe("acceptsGzip", () => {
  for (const [header, accepted] of [
    [undefined, false],
    ["", false],
    ["identity", false],
    ["gzip", true],
    ["GZIP", true],
    ["x-gzip", true],
    ["deflate, gzip;q=0.5, br", true],
    ["gzip;q=0", false],
    ["gzip; q=0.0, *", false],
    ["*", true],
    ["*;q=0", false],
    ["gzipped", false],
  ] as const) {
    it(`${accepted ? "takes" : "does not take"} ${JSON.stringify(header)} for gzip`, () => {
      assert.equal(acceptsGzip(header), accepted);
    });
  }
});
