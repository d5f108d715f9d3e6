import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { OutriggerError } from "../../src/errors.ts";
import { canEnter, type Phase } from "../../src/lifecycle/phase.ts";
import { silentLogger } from "../../src/log/logger.ts";
import { inlineWorker } from "../../src/supervisor/inline-worker.ts";
import { Supervisor } from "../../src/supervisor/supervisor.ts";
import { within } from "../helpers/deadline.ts";
import { unixEndpoint } from "../helpers/endpoints.ts";
import { WORKER_START } from "../helpers/fake-workers.ts";
import { createChance } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const RUNS = 60;
/** A start is over after about as many turns of the loop. */
const START_TURNS = 60;

const handler = (_request: unknown, response: { end(text: string): void }): void =>
  response.end("hello");

interface Setup {
  readonly supervisor: Supervisor;
  readonly dir: string;
  /** In the order they were entered. */
  readonly phases: Phase[];
}

async function setUp(t: TestContext): Promise<Setup> {
  const dir = await tempDir(t);
  const phases: Phase[] = ["starting"];
  const { config } = WORKER_START;
  const supervisor = new Supervisor({
    config: {
      ...config,
      endpoints: ["a", "b"].map((name) => unixEndpoint(join(dir, `${name}.sock`), { name })),
      ops: undefined,
      workers: 0,
      log: { ...config.log, accessLog: "off" },
    },
    log: silentLogger,
    spawn: inlineWorker({
      app: { default: handler },
      cwd: dir,
      isPretty: false,
      isMain: false,
      log: silentLogger,
    }),
    version: "0.0.0",
    onPhase: (phase) => phases.push(phase),
  });
  return { supervisor, dir, phases };
}

/** Asks for a change that only a supervisor in another state can make. */
async function assertRefused(change: Promise<unknown>): Promise<void> {
  await assert.rejects(change, (thrown) => {
    return thrown instanceof OutriggerError && thrown.code === "ERR_STATE";
  });
}

describe("Supervisor, whatever is asked and whenever", () => {
  it("goes from phase to phase as it may, ends stopped and leaves nothing behind", async (t) => {
    const ended = new Set<string>();
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const { below, pick } = createChance(seed);
      const { supervisor, dir, phases } = await setUp(t);
      const started = supervisor.start().then(
        () => "ready",
        () => "given up",
      );
      const asked = Array.from({ length: below(8) }, () => {
        const ask = pick([
          () => assertRefused(supervisor.changes.reload(WORKER_START.config)),
          () => assertRefused(supervisor.changes.grow()),
          () => supervisor.refresh(10),
        ]);
        return { ask, after: below(START_TURNS) };
      });
      const stops = Array.from({ length: 1 + below(3) }, () => {
        return { ask: () => supervisor.stop(below(2) * 1_000), after: below(START_TURNS) };
      });
      const answers: Promise<unknown>[] = [];
      for (let turn = 0; turn < START_TURNS; turn += 1) {
        for (const { ask, after } of [...asked, ...stops]) if (after === turn) answers.push(ask());
        assert.equal(supervisor.current().phase, phases.at(-1));
        await nextTurn();
      }
      await within(DEADLINE_MS, Promise.all(answers), `the end of run ${seed}`);
      ended.add(await started);
      const legal = phases.slice(1).every((to, at) => canEnter(phases[at] ?? "stopped", to));
      assert.ok(legal && phases.at(-1) === "stopped", `run ${seed}: ${phases.join(" -> ")}`);
      assert.deepEqual(await readdir(dir), [], `run ${seed} left files`);
    }
    assert.deepEqual(
      ended,
      new Set(["ready", "given up"]),
      "stops came before and after the start",
    );
  });
});
