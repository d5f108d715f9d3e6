import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { within } from "./deadline.ts";
import { readResponse, request, stream, type RequestOptions } from "./http.ts";
import { portOf, startProgram, type Program } from "./program.ts";
import type { Scope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

const DEADLINE_MS = 15_000;
/** On a busy machine a framework takes long to load. */
const READY_WITHIN_MS = 60_000;
/** The client that a proxy names. */
export const CLIENT = "203.0.113.7";
export const FORWARDED: Readonly<Record<string, string>> = { "x-forwarded-for": CLIENT };

/** An app that knows nothing of us, as it is served. */
export interface Framework {
  readonly program: Program;
  readonly socketPath: string;
  /** Of an endpoint beside the socket. */
  readonly port: number;
  /** Resolves with the body of an answer that must be a good one. */
  readonly request: (options: RequestOptions) => Promise<string>;
  /** Lets answers end that wait. */
  readonly go: () => Promise<void>;
}

export interface FrameworkOptions {
  /** Path of the app, from `cwd`. */
  readonly app: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Serves an app on a socket and on TCP; answers of its that wait do so until `go`. */
export async function serveFramework(
  scope: Scope,
  { app, cwd, env }: FrameworkOptions,
): Promise<Framework> {
  const dir = await tempDir(scope);
  const [socketPath, go] = [join(dir, "app.sock"), join(dir, "go")];
  const endpoints = ["--listen", socketPath, "--listen", "127.0.0.1:0?name=tcp"];
  const program = startProgram(scope, {
    args: [app, ...endpoints, "--ops", "off", "--workers", "1"],
    env: { ...env, GO: go },
    ...(cwd === undefined ? {} : { cwd }),
  });
  await program.ready(READY_WITHIN_MS);
  return {
    program,
    socketPath,
    port: portOf(await program.address("tcp")),
    request: async (options) => {
      const response = await request({ socketPath, ...options });
      assert.ok(response.status === 200 || response.status === 201, response.text());
      return response.text();
    },
    go: () => writeFile(go, ""),
  };
}

/** A request with a JSON body. */
export function postJson(value: unknown): Pick<RequestOptions, "method" | "headers" | "body"> {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  };
}

/** Asks a framework for all that it is to answer, and stops it. */
export async function checkSite(app: Framework): Promise<void> {
  assert.equal(await app.request({ path: "/hello/world" }), "hello world");
  const echoed = await app.request({ path: "/json", ...postJson({ value: 42 }) });
  assert.deepEqual(JSON.parse(echoed), { got: 42 });
  assert.equal(await app.request({ path: "/static/file.txt" }), "a static file\n");
  assert.equal(await app.request({ path: "/ip", headers: FORWARDED }), CLIENT);
  await checkStreamSurvivesStop(app, { path: "/stream" }, ["first\n", "last\n"]);
}

/** Checks that an answer that has begun when the program is told to stop comes to its end. */
export async function checkStreamSurvivesStop(
  { program, socketPath, go }: Framework,
  options: RequestOptions,
  [first, last]: readonly [string, string],
): Promise<void> {
  const message = await stream({ socketPath, ...options });
  await readUntil(message, first);
  program.signal("SIGTERM");
  await program.line("endpoints withdrawn");
  await go();
  const rest = await within(DEADLINE_MS, readResponse(message), "the last part");
  assert.match(rest.text(), new RegExp(last));
  await checkStopped(program);
}

/** Checks that the program ends well, without an error in its log. */
export async function checkStopped(program: Program): Promise<void> {
  assert.deepEqual(await program.exit(), { code: 0, signal: null });
  const errors = program.lines.filter(({ level }) => Number(level) >= 50);
  assert.deepEqual(errors, [], "no error was logged");
}

/** Reads a body until that has come; the rest is left to be read. */
async function readUntil(message: IncomingMessage, text: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let received = "";
  const onData = (bytes: Buffer): void => {
    received += bytes.toString();
    if (!received.includes(text)) return;
    message.off("data", onData).pause();
    resolve();
  };
  message.on("data", onData);
  await within(DEADLINE_MS, promise, `${text} of the body`);
}
