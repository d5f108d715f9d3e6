import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Agent } from "node:http";
import { EXIT_CODES } from "../../src/errors.ts";
import { eventually } from "./deadline.ts";
import { kernelRowsIn } from "./kernel.ts";
import type { ExitResult } from "./process-group.ts";
import type { Program } from "./program.ts";
import { onEnd, type Scope } from "./scope.ts";
import type { Serving } from "./serving.ts";

const DEADLINE_MS = 15_000;

/** How a program ends that stopped as asked. */
export const STOPPED: ExitResult = { code: EXIT_CODES.ok, signal: null };
/** How a program ends that had to cut something. */
export const CUT: ExitResult = { code: EXIT_CODES.forced, signal: null };

/** How long it takes until the program has ended, from now. */
export async function exitTimeMs(program: Program): Promise<number> {
  const startMs = performance.now();
  await program.exit();
  return Math.round(performance.now() - startMs);
}

/** Fails unless neither the socket file nor any socket bound in its folder is left. */
export async function assertGone({ socketPath, dir }: Serving): Promise<void> {
  assert.equal(existsSync(socketPath), false, "the socket file is still there");
  assert.deepEqual(await kernelRowsIn(dir), { listening: 0, accepted: 0, queued: 0 });
}

/** Resolves when so many connections are accepted. */
export async function accepted(dir: string, connections: number): Promise<void> {
  await eventually(
    DEADLINE_MS,
    async () => (await kernelRowsIn(dir)).accepted === connections || undefined,
    `${connections} accepted connections`,
  );
}

/** Resolves when so many connections wait in the accept queue. */
export async function queued(dir: string, connections: number): Promise<void> {
  await eventually(
    DEADLINE_MS,
    async () => (await kernelRowsIn(dir)).queued === connections || undefined,
    `${connections} queued connections`,
  );
}

/** An agent with one connection that is kept alive. */
export function keepAliveAgent(scope: Scope): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onEnd(scope, () => agent.destroy());
  return agent;
}
