import { basename, join } from "node:path";
import { writeFile } from "node:fs/promises";
import { makeCertificate, tlsQuery } from "./certificates.ts";
import { eventually } from "./deadline.ts";
import { request } from "./http.ts";
import { scrape, type Metrics } from "./metrics.ts";
import { portOf, startProgram, type Program } from "./program.ts";
import { proxyV2 } from "./proxy-header.ts";
import type { Scope } from "./scope.ts";
import { keepListening } from "./socket-keeper.ts";
import type { Way } from "./talk.ts";
import { tempDir } from "./temp-dir.ts";

const DEADLINE_MS = 15_000;
/** Answers once it has the whole request, and tells what it holds in memory when nothing is left to collect. */
const APP = `
import v8 from "node:v8";
import vm from "node:vm";
v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc");

function memory() {
  collect();
  // Array buffers are among what is external.
  const { heapUsed, external } = process.memoryUsage();
  return { bytes: heapUsed + external, resources: process.getActiveResourcesInfo() };
}

export default async (req, res) => {
  if (req.url === "/memory") return res.end(JSON.stringify(memory()));
  if (req.url === "/hang") return;
  if (req.url.startsWith("/early")) return res.end("early");
  let length = 0;
  try {
    for await (const chunk of req) length += chunk.length;
  } catch {
    return;
  }
  res.end(req.method + " " + length);
};
`;
/** So that a test sees what they end. */
const SHORT_TIMEOUTS = [
  "--headers-timeout", "2s", "--request-timeout", "3s", "--keep-alive-timeout", "1s",
]; // prettier-ignore

export interface EveryEndpointOptions {
  /** What clients want through TLS. */
  readonly alpn: string;
  /** (the default ones) */
  readonly timeouts?: "short";
  /** Flags beside those of the endpoints (none). */
  readonly args?: readonly string[];
}

/** A program that listens in every way there is, with one app and one worker. */
export interface EveryEndpoint {
  readonly program: Program;
  readonly worker: number;
  readonly opsPort: number;
  /** To its endpoints, by their names. */
  readonly ways: readonly Way[];
  /** To the ops endpoint. */
  readonly opsWay: Way;
  /** To the port that says nothing. */
  readonly probeWay: Way;
  readonly metrics: () => Promise<Metrics>;
  /** What the worker holds when all that can be collected is. */
  readonly memory: () => Promise<Memory>;
}

export interface Memory {
  readonly bytes: number;
  /** What keeps Node running, a word each. */
  readonly resources: readonly string[];
}

/** Starts it and resolves when it is ready. */
export async function serveEveryEndpoint(
  scope: Scope,
  { alpn, timeouts, args = [] }: EveryEndpointOptions,
): Promise<EveryEndpoint> {
  const dir = await tempDir(scope);
  const app = join(dir, "app.mjs");
  await writeFile(app, APP);
  const abstractName = `or-${basename(dir)}`;
  const unix = join(dir, "unix.sock");
  const proxied = join(dir, "proxied.sock");
  const handed = join(dir, "handed.sock");
  const descriptor = keepListening(scope, { path: handed });
  const pair = await makeCertificate({ dir, name: "localhost" });
  const program = startProgram(scope, {
    args: [
      app,
      "--listen", `${unix}?name=unix`,
      "--listen", `@${abstractName}?name=abstract`,
      "--listen", "127.0.0.1:0?name=tcp",
      "--listen", "fd:3?name=handed",
      "--listen", `127.0.0.1:0?name=tls&${tlsQuery(pair)}`,
      "--listen", `${proxied}?name=proxied&proxy-protocol=require`,
      "--ops", "127.0.0.1:0", "--probe", "127.0.0.1:0", "--workers", "1",
      "--access-log", "off", ...(timeouts === "short" ? SHORT_TIMEOUTS : []), ...args,
    ],
    descriptors: [descriptor],
  }); // prettier-ignore
  const { probe } = await program.ready();
  const opsPort = await program.opsPort();
  const tcpTarget = (address: string) => ({ host: "127.0.0.1", port: portOf(address) });
  const greeting = proxyV2({ source: "203.0.113.7", destination: "192.0.2.1" });
  const [worker = 0] = program.workerPids();
  return {
    program,
    worker,
    opsPort,
    ways: [
      { name: "unix", target: { path: unix } },
      { name: "abstract", target: { path: `\0${abstractName}` } },
      { name: "tcp", target: tcpTarget(await program.address("tcp")) },
      { name: "handed", target: { path: handed } },
      { name: "tls", target: tcpTarget(await program.address("tls")), alpn },
      { name: "proxied", target: { path: proxied }, greeting },
    ],
    opsWay: { name: "ops", target: { host: "127.0.0.1", port: opsPort } },
    probeWay: { name: "probe", target: tcpTarget(String(probe)) },
    metrics: () => scrapeAll(opsPort),
    memory: async () =>
      (await request({ socketPath: unix, path: "/memory" })).json() as unknown as Memory,
  };
}

/** On a busy machine a worker may miss the short time it has to tell its numbers. */
async function scrapeAll(opsPort: number): Promise<Metrics> {
  const complete = async (): Promise<Metrics | undefined> => {
    const metrics = await scrape(opsPort);
    return metrics.value("outrigger_metrics_workers_missing") === 0 ? metrics : undefined;
  };
  return await eventually(DEADLINE_MS, complete, "every worker to tell its numbers");
}
