import assert from "node:assert/strict";
import { eventually } from "./deadline.ts";
import { Load } from "./load.ts";
import { errorLines, everReady } from "./log-count.ts";
import { startNginx, type Nginx } from "./nginx.ts";
import type { Scope } from "./scope.ts";
import { serveApp, type Serving } from "./serving.ts";
import { assertGone, STOPPED } from "./stopping.ts";

const DEADLINE_MS = 30_000;
const REQUESTS = "http_server_request_duration_seconds_count";

/** The `hello.mjs` app behind nginx, under mixed load that is answered. */
export interface LoadedPod {
  readonly service: Serving;
  readonly nginx: Nginx;
  readonly load: Load;
}

export interface LoadedPodOptions {
  readonly workers: number;
  /** Further flags. */
  readonly args?: readonly string[];
  /** Where nginx writes its pid. */
  readonly pidFile?: string;
}

/** Starts a pod; resolves when all its workers serve, and have been for a while. */
export async function startLoadedPod(
  scope: Scope,
  { workers, args = [], pidFile }: LoadedPodOptions,
): Promise<LoadedPod> {
  const service = await serveApp(scope, "hello.mjs", {
    args: ["--workers", String(workers), "--access-log", "off", ...args],
  });
  await everReady(service.program, workers);
  const nginx = await startNginx(scope, {
    dir: service.dir,
    socket: service.socketPath,
    keepalive: 16,
    ...(pidFile === undefined ? {} : { pidFile }),
  });
  const load = new Load({ port: nginx.port });
  await load.answers(50);
  return { service, nginx, load };
}

/**
 * Lets nginx go, for which a program that drains is waiting. Fails unless nothing was lost, nothing
 * is left, and nothing was worth an error.
 */
export async function assertLeavesAfterNginx(pod: LoadedPod): Promise<void> {
  const { program } = pod.service;
  await pod.load.answers(100);
  pod.nginx.signal("SIGQUIT");
  await Promise.all([pod.load.refused(), pod.nginx.exit(20_000)]);
  await assertAllAnswered(pod);
  assert.deepEqual(await program.exit(), STOPPED);
  await assertGone(pod.service);
  assert.deepEqual(errorLines(program), []);
}

/** Ends the load and fails unless every request was answered at the first attempt, and counted. */
export async function assertNothingLost(pod: LoadedPod): Promise<void> {
  const { service, load } = pod;
  await load.end();
  assert.equal(load.outcomes.length - load.answered, load.failures.length, "nginx refused some");
  await assertAllAnswered(pod);
  let counted = 0;
  await eventually(
    DEADLINE_MS,
    async () => (counted = await service.sum(REQUESTS)) === load.answered || undefined,
    `${load.answered} counted requests`,
  ).catch(() => assert.equal(counted, load.answered, "requests counted"));
}

/** Fails unless every request that nginx took was answered at the first attempt. */
export async function assertAllAnswered({
  nginx,
  load,
}: Pick<LoadedPod, "nginx" | "load">): Promise<void> {
  assert.deepEqual(load.failures, []);
  assert.doesNotMatch(await nginx.errorLog(), /upstream|connect\(\)/);
  const proxied = (await nginx.accessLog()).trim().split("\n");
  assert.deepEqual(
    proxied.filter((line) => !line.startsWith("200 200 ")),
    [],
  );
}
