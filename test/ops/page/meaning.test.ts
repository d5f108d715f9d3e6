import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainPhase, progressOf } from "../../../src/ops/page/meaning.ts";
import { PHASES } from "../../../src/lifecycle/phase.ts";
import { answer, timeAt, worker } from "./answers.ts";

describe("explainPhase", () => {
  for (const phase of PHASES) {
    it(`knows ${phase}`, () => {
      assert.doesNotMatch(explainPhase(answer({ overrides: { phase } })).sentence, /not know/);
    });
  }

  it("says why a program that serves is not ready", () => {
    const meaning = explainPhase(
      answer({ overrides: { ready: false, not_ready_because: ["no database", "file is gone"] } }),
    );
    assert.equal(meaning.title, "Not ready");
    assert.equal(meaning.sentence, "/readyz fails: no database; file is gone.");
    assert.equal(meaning.tone, "bad");
  });
});

describe("progressOf", () => {
  it("is unknown before the drain", () => assert.equal(progressOf(answer()), undefined));

  it("knows no end of a drain that is only announced", () => {
    const overrides = { phase: "draining", drain_started_at: timeAt(1) };
    const progress = progressOf(answer({ at: 4, overrides }));
    assert.deepEqual([progress?.elapsedSeconds, progress?.graceSeconds], [3, undefined]);
  });

  it("says how long the drain takes, may take, and what is left", () => {
    const { workers } = answer();
    const slots = [worker({ state: "draining" }), worker({ slot: 1, state: "exited" })];
    const overrides = {
      phase: "draining",
      drain_started_at: timeAt(1),
      drain_deadline_at: timeAt(31),
      workers: { ...workers, slots },
    };
    assert.deepEqual(progressOf(answer({ at: 4, overrides })), {
      elapsedSeconds: 3,
      graceSeconds: 30,
      connections: 3,
      requests: 2,
      workers: 1,
    });
  });
});
