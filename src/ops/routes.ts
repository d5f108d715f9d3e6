import type { IncomingHttpHeaders } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Snapshot } from "../snapshot.ts";
import { checkNames, judge, PROBES, type Probe } from "./health.ts";
import { createMetricsWriter, type MetricsWriter } from "./metrics.ts";
import {
  acceptsGzip,
  METRICS_OFFERS,
  negotiate,
  PROBE_OFFERS,
  STATUS_OFFERS,
} from "./negotiate.ts";
import { formatHealthJson, formatText, HEALTH_JSON } from "./probe-format.ts";
import { createPageReader, type StatusPage } from "./status-page.ts";
import { describeStatus } from "./status.ts";

/** How long `/metrics` and `/status` wait for fresh reports of the workers: a frozen one must not cost the answer. */
const REFRESH_WITHIN_MS = 25;

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
const HTML = "text/html; charset=utf-8";
const METHODS: readonly string[] = ["GET", "HEAD"];

/** Where answers get their facts from. */
export interface SnapshotSource {
  /** The last snapshot, at once. */
  readonly current: () => Snapshot;
  /** A snapshot with the reports of all workers that answer within so many milliseconds. */
  readonly refresh: (withinMs: number) => Promise<Snapshot>;
  /** The status page (the one that was built beside this module). */
  readonly readPage?: () => Promise<StatusPage>;
}

export interface OpsRequest {
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface OpsReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

interface Question {
  readonly request: OpsRequest;
  /** What follows the route's own path: the name of a check. */
  readonly rest: string | undefined;
  readonly query: URLSearchParams;
}

type Route = (question: Question) => OpsReply | Promise<OpsReply>;

/** Creates the function that answers every request to the ops endpoint. */
export function createRoutes(source: SnapshotSource): (request: OpsRequest) => Promise<OpsReply> {
  const writeMetrics = createMetricsWriter();
  const { readPage = createPageReader() } = source;
  const routes = new Map<string, Route>([
    ["", () => reply(200, TEXT, INDEX)],
    ...PROBES.map((probe): [string, Route] => [
      probe,
      (question) => answerProbe(probe, question, source.current()),
    ]),
    ["metrics", ({ request }) => answerMetrics(request, source, writeMetrics)],
    ["status", (question) => answerStatus(question, source, readPage)],
  ]);

  return async (request) => {
    const [path = "", query = ""] = request.target.replace(/^https?:\/\/[^/?]*/i, "").split("?", 2);
    const [name = "", rest, ...deeper] = path.replace(/^\//, "").replace(/\/$/, "").split("/");
    const route = routes.get(name);
    const hasChecks = PROBES.some((probe) => probe === name);
    if (route === undefined || deeper.length > 0 || (rest !== undefined && !hasChecks)) {
      return reply(404, TEXT, `no such path\n\n${INDEX}`);
    }
    if (!METHODS.includes(request.method)) {
      const refusal = reply(405, TEXT, "only GET and HEAD are answered here\n");
      return { ...refusal, headers: { ...refusal.headers, Allow: METHODS.join(", ") } };
    }
    return route({ request, rest, query: new URLSearchParams(query) });
  };
}

const INDEX = `outrigger ops endpoint

/livez     is the supervisor alive
/startupz  have the endpoints been published once
/readyz    may traffic be sent now
/healthz   the same as /readyz
/metrics   for Prometheus
/status    the state of everything: a page for browsers, JSON for others and with ?json

Probes take ?verbose and ?exclude=CHECK; /readyz/CHECK asks for one check.
`;

function answerProbe(
  probe: Probe,
  { request, rest, query }: Question,
  snapshot: Snapshot,
): OpsReply {
  const names = checkNames(probe);
  if (rest !== undefined && !names.includes(rest)) {
    return reply(404, TEXT, `${probe} has no such check; its checks are ${names.join(", ")}\n`);
  }
  const excluded = query.getAll("exclude");
  const verdict = judge(
    probe,
    snapshot,
    rest === undefined ? { excluded } : { excluded, only: rest },
  );
  const status = verdict.passed ? 200 : 503;
  if (negotiate(request.headers.accept, PROBE_OFFERS) === "json") {
    return reply(status, HEALTH_JSON, formatHealthJson(verdict, snapshot));
  }
  return reply(status, TEXT, formatText(verdict, query.has("verbose") ? "verbose" : "brief"));
}

async function answerMetrics(
  { headers }: OpsRequest,
  source: SnapshotSource,
  writeMetrics: MetricsWriter,
): Promise<OpsReply> {
  const snapshot = await source.refresh(Math.min(REFRESH_WITHIN_MS, scrapeTimeoutMs(headers)));
  const { contentType, text } = await writeMetrics(
    negotiate(headers.accept, METRICS_OFFERS),
    snapshot,
  );
  return await negotiated(reply(200, contentType, text), headers);
}

async function answerStatus(
  { request: { headers }, query }: Question,
  source: SnapshotSource,
  readPage: () => Promise<StatusPage>,
): Promise<OpsReply> {
  if (!query.has("json") && negotiate(headers.accept, STATUS_OFFERS) === "page") {
    const page = await readPage();
    const plain = reply(200, HTML, page.html);
    return await negotiated({ ...plain, headers: { ...plain.headers, ...page.headers } }, headers);
  }
  const status = describeStatus(await source.refresh(REFRESH_WITHIN_MS));
  const text = `${JSON.stringify(status, undefined, 2)}\n`;
  return await negotiated(reply(200, JSON_TYPE, text), headers);
}

/** An answer that was chosen by `Accept`, compressed where the asker takes that. */
async function negotiated(plain: OpsReply, asked: IncomingHttpHeaders): Promise<OpsReply> {
  const varying = { ...plain, headers: { ...plain.headers, Vary: "Accept, Accept-Encoding" } };
  if (!acceptsGzip(asked["accept-encoding"])) return varying;
  const body = await promisify(gzip)(plain.body);
  return { ...varying, headers: { ...varying.headers, "Content-Encoding": "gzip" }, body };
}

/** The time Prometheus gives us; infinite when it does not say. */
function scrapeTimeoutMs(headers: IncomingHttpHeaders): number {
  const seconds = Number(headers["x-prometheus-scrape-timeout-seconds"]);
  return seconds > 0 ? seconds * 1000 : Number.POSITIVE_INFINITY;
}

function reply(status: number, contentType: string, body: string): OpsReply {
  return { status, headers: { "Content-Type": contentType }, body };
}
