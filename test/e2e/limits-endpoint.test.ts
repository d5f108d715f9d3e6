import assert from "node:assert/strict";
import http2, { type ClientHttp2Session, type OutgoingHttpHeaders } from "node:http2";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { within } from "../helpers/deadline.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const KILOBYTE = 1024;
const REJECTED = "outrigger_endpoint_connections_rejected_total";
const NARROW = [
  ...["max-request-line=1Ki", "max-header-size=2Ki", "max-headers=9", "max-body-size=2Ki"],
  ...["headers-timeout=300ms", "request-timeout=600ms"],
].join("&");

/** What an endpoint with narrow limits refuses, and one without serves. */
interface Case {
  readonly status: number;
  readonly reason: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The end of the body is never sent. */
  readonly isHalf?: true;
  /** Of HTTP/1.1, in the place of all that. */
  readonly bytes?: string;
  /** It cannot be read as far as its path. */
  readonly isUnread?: true;
}

const MANY_HEADERS = Object.fromEntries(
  Array.from({ length: 10 }, (_, index) => [`x-${index}`, "1"]),
);

/** Limits, which the other endpoint does not have. */
const LIMITS: readonly Case[] = [
  { status: 413, reason: "body_too_large", method: "POST", path: "/413", headers: { "content-length": "2049" }, body: "x".repeat(2049) },
  { status: 413, reason: "body_too_large", method: "POST", path: "/413-unknown", headers: { "transfer-encoding": "chunked" }, body: "x".repeat(3 * KILOBYTE) },
  { status: 414, reason: "request_line_too_long", path: `/414-${"x".repeat(KILOBYTE)}` },
  { status: 431, reason: "headers_too_large", path: "/431-size", headers: { "x-big": "x".repeat(2 * KILOBYTE) } },
  { status: 431, reason: "headers_too_large", path: "/431-count", headers: MANY_HEADERS },
  { status: 408, reason: "request_timeout", method: "POST", path: "/408-body", headers: { "content-length": "5" }, body: "x", isHalf: true },
]; // prettier-ignore

/** What nobody serves. */
const WRONG: readonly Case[] = [
  { status: 400, reason: "bad_request", method: "BREW", path: "/400", isUnread: true },
  { status: 417, reason: "bad_request", path: "/417", headers: { expect: "a-miracle" } },
  { status: 501, reason: "not_implemented", method: "CONNECT", path: "db:5432" },
];

const HALF_A_HEAD: Case = {
  status: 408,
  reason: "request_timeout",
  path: "/408-head",
  bytes: "GET /408-head HTTP/1.1\r\nHost: te",
  isUnread: true,
};

const HALF_A_BODY: Case = {
  ...HALF_A_HEAD,
  bytes: "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nx",
};

async function serveNarrowAndWide(scope: Scope, ...args: readonly string[]): Promise<Serving> {
  const dir = await tempDir(scope);
  return await serveApp(scope, "bodies.mjs", {
    args: [
      ...["--listen", `${join(dir, "narrow")}?name=narrow&${NARROW}`],
      ...["--listen", `${join(dir, "wide")}?name=wide`],
      ...args,
    ],
  });
}

/** Sends a request to an endpoint and resolves to the status of the answer. */
type Ask = (endpoint: string, asked: Case) => Promise<number>;

function inText(scope: Scope, { program }: Serving): Ask {
  return async (endpoint, { method = "GET", path, headers = {}, body, bytes }) => {
    const client = await RawClient.open(scope, { path: await program.address(endpoint) });
    const fields = Object.entries({ host: "test", ...headers });
    const head = `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
    const isChunked = headers["transfer-encoding"] !== undefined;
    const sent = isChunked ? `${body?.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : (body ?? "");
    const answer = await client.send(bytes ?? head + sent).until(/^HTTP\/1\.1 \d+ [^]*\r\n\r\n/);
    return Number(answer.slice(9, 12));
  };
}

function inStreams(scope: Scope, { program }: Serving): Ask {
  const sessions = new Map<string, ClientHttp2Session>();
  return async (endpoint, { method = "GET", path, headers = {}, body, isHalf }) => {
    const session = sessions.get(endpoint) ?? openSession(scope, await program.address(endpoint));
    sessions.set(endpoint, session);
    const { "transfer-encoding": _chunked, ...fields } = headers;
    const target = method === "CONNECT" ? { ":authority": path } : { ":path": path };
    const head: OutgoingHttpHeaders = { ":method": method, ...target, ...fields };
    const stream = session.request(head, { endStream: body === undefined });
    stream.on("error", () => {});
    if (body !== undefined) stream.write(body);
    if (body !== undefined && isHalf === undefined) stream.end();
    const [answer] = await within(DEADLINE_MS, once(stream, "response"), `an answer to ${path}`);
    stream.close();
    return Number(answer[":status"]);
  };
}

function openSession(scope: Scope, path: string): ClientHttp2Session {
  const session = http2.connect("http://localhost", { createConnection: () => connect(path) });
  onEnd(scope, () => session.destroy());
  session.on("error", () => {});
  return session;
}

/** How many cases there are for each reason. */
function tally(cases: readonly Case[]): Record<string, number> {
  const reasons = cases.map(({ reason }) => reason);
  return Object.fromEntries(
    reasons.map((reason) => [reason, reasons.filter((one) => one === reason).length]),
  );
}

async function counted(serving: Serving, endpoint: string): Promise<Record<string, number>> {
  const { samples } = await serving.metrics();
  const own = samples.filter(({ name, labels }) => name === REJECTED && labels["endpoint"] === endpoint);
  return Object.fromEntries(
    own.filter(({ value }) => value > 0).map(({ labels, value }) => [labels["reason"] ?? "", value]),
  );
} // prettier-ignore

describe("limits and timeouts of an endpoint", () => {
  const versions = [
    ["HTTP/1.1", inText, [...LIMITS, ...WRONG, HALF_A_HEAD]],
    ["HTTP/2", inStreams, [...LIMITS, ...WRONG]],
  ] as const;
  for (const [version, create, cases] of versions) {
    it(`refuse requests of ${version} with an answer, a log line and a count, each with the reason`, async (t) => {
      const serving = await serveNarrowAndWide(t, "--request-timeout", "1m");
      const ask = create(t, serving);
      const wide = await serving.program.address("wide");
      const patient = [HALF_A_HEAD, HALF_A_BODY].map(async ({ bytes = "" }) =>
        (await RawClient.open(t, { path: wide })).send(bytes),
      );
      const [first, second] = await Promise.all(patient);
      const statuses = await Promise.all(cases.map((asked) => ask("narrow", asked)));
      assert.deepEqual(
        statuses,
        cases.map(({ status }) => status),
      );
      assert.deepEqual(await counted(serving, "narrow"), tally(cases));
      assert.deepEqual([first?.received, second?.received], ["", ""]);
      assert.deepEqual(await counted(serving, "wide"), {});
      for (const { status, reason, method = "GET", path, isUnread } of cases) {
        const begin = isUnread ? undefined : path.slice(0, 9);
        const line = await serving.program.line(
          (logged) =>
            logged["reason"] === reason && logged["path"]?.toString().slice(0, 9) === begin,
        );
        const said = [line["endpoint"], line["status"], line["method"]];
        assert.deepEqual(said, ["narrow", status, isUnread ? undefined : method], path);
      }
    });

    it(`do not hold on another: ${version}`, async (t) => {
      const serving = await serveNarrowAndWide(t);
      const ask = create(t, serving);
      const served = LIMITS.filter(({ status }) => status !== 408);
      for (const asked of served) assert.equal(await ask("wide", asked), 200, asked.path);
      assert.deepEqual(await counted(serving, "wide"), {});
    });
  }
});
