import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatFlagTable } from "../../src/cli/flag-table.ts";
import { OPTION_NAMES } from "../../src/config/options.ts";

describe("formatFlagTable", () => {
  const rows = formatFlagTable().trimEnd().split("\n");

  it("has a head and one row for each option", () => {
    assert.equal(rows[0], "| Flag | Variable | Config key | Default | Meaning |");
    assert.equal(rows.length, OPTION_NAMES.length + 2);
  });

  it("has five cells in each row", () => {
    for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 7, row);
  });

  const expected: Record<string, string> = {
    "an option":
      "| `--grace-period DURATION` | `OUTRIGGER_GRACE_PERIOD` | `grace-period` | `30s` |",
    "an option with alternatives":
      "| `--workers N\\|auto` | `OUTRIGGER_WORKERS` | `workers` | `auto` |",
    "what has no config key": "| `--config FILE` | `OUTRIGGER_CONFIG` |  |  |",
    "what is a flag only": "| `--print-config` |  |  |  |",
    "what has no flag": "|  | `OUTRIGGER_APP` | `app` |  |",
  };
  for (const [what, start] of Object.entries(expected)) {
    it(`shows ${what}`, () => assert.ok(rows.some((row) => row.startsWith(start))));
  }
});
