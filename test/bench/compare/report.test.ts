import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChurnRound } from "./churn.ts";
import { formatChurn, formatScenario, ratios } from "./report.ts";
import type { ScenarioResult } from "./scenarios.ts";

const RESULT: ScenarioResult = {
  requests: 100,
  failed: 9,
  unavoidable: 0,
  fates: { executing: 1, sent: 2, refused: 6 },
  problems: "502 × 9",
  times: 3,
  tookMs: [30, 10, 20],
};

function round(gate: number, plain: number, cluster: number): ChurnRound {
  const at = (connectionsPerSecond: number) => ({ connectionsPerSecond, coreShare: 1 });
  return { gate: at(gate), plain: at(plain), cluster: at(cluster) };
}

describe("formatScenario", () => {
  it("counts every failure while there is a server", () => {
    const row = formatScenario("reload", "x", RESULT);
    assert.equal(row, "| reload | x | 3 | 20 (30) | 100 | 9 |  | 9 |");
  });

  it("tells apart what the killed worker was executing", () => {
    const row = formatScenario("kill", "x", { ...RESULT, unavoidable: 7 });
    assert.equal(row, "| `kill -9` of a worker | x | 3 | 20 (30) | 100 | 9 | 7 | 2 |");
  });

  it("leaves out what met no server after a stop", () => {
    const row = formatScenario("stop", "x", { ...RESULT, tookMs: [30], times: 1 });
    assert.equal(row, "| stop | x | 1 | 30 | 94 | 3 |  | 3 |");
  });
});

describe("ratios", () => {
  it("compares the windows of one round", () => {
    assert.deepEqual(ratios([round(50, 100, 10), round(30, 40, 10)], "gate", "plain"), [0.5, 0.75]);
  });
});

describe("formatChurn", () => {
  it("shows medians and ratios with quartiles", () => {
    const [gate] = formatChurn(4, [round(60, 100, 20), round(80, 100, 20)]).split("\n");
    assert.equal(gate, "| 4 | Outrigger | 70 | 0.70 (0.65–0.75) | 3.50 (3.25–3.75) | 100 % |");
  });
});
