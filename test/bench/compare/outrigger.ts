import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startProgram, type Program } from "../../helpers/program.ts";
import type { Scope } from "../../helpers/scope.ts";
import { EXIT_CODES } from "../../../src/errors.ts";
import { isRunning } from "../processes.ts";
import { allServe } from "./fleet.ts";
import { MAX_REQUESTS, WORKERS, type Peer, type Place, type RunningPeer } from "./peer.ts";

const APP = fileURLToPath(new URL("./app.ts", import.meta.url));
const PACKAGE = new URL("../../../package.json", import.meta.url);
const END_WITHIN_MS = 60_000;

/** Outrigger as it comes, without access log, which the others do not write either. */
export const outrigger: Peer = {
  name: "outrigger",
  title: `Outrigger ${(JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string }).version}`,
  canRecycle: true,
  start: async (scope, place) => await serving(launch(scope, place)),
  async takeOver(scope, place) {
    const second = launch(scope, place, ["--takeover"]);
    const started = serving(second);
    const exit = await Promise.race([second.exit(END_WITHIN_MS), started.then(() => undefined)]);
    if (exit?.code !== EXIT_CODES.usage) return await started;
    started.catch(() => {});
    return "unknown";
  },
};

function launch(scope: Scope, place: Place, more: readonly string[] = []): Program {
  return startProgram(scope, {
    args: [
      ...[APP, "--socket", place.socket, "--ops", "127.0.0.1:0", "--access-log", "off"],
      ...["--workers", String(WORKERS), "--min-ready", String(WORKERS)],
      ...(place.isRecycling ? ["--max-requests", String(MAX_REQUESTS)] : []),
      ...more,
    ],
    env: { COMPARE_NOTES: place.notes },
  });
}

async function serving(program: Program): Promise<RunningPeer> {
  await program.ready();
  const peer: RunningPeer = {
    // A line about a killed one may still be on its way.
    workers: () => program.workerPids().filter(isRunning),
    reload: async () => program.signal("SIGHUP"),
    async terminate() {
      program.signal("SIGTERM");
      return await program.exit(END_WITHIN_MS);
    },
    async killAll() {
      for (const pid of [program.pid, ...program.workerPids()]) process.kill(pid, "SIGKILL");
      await program.exit();
    },
  };
  await allServe(peer);
  return peer;
}
