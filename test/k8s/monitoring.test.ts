import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it, after } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { asList, asNumber, asText, at, mappings } from "../helpers/kustomize/fields.ts";
import {
  CASES_FILE,
  DASHBOARD,
  DASHBOARD_EXPRESSIONS,
  RULE_EXPRESSIONS,
  RULES,
  RULES_FILE,
} from "../helpers/monitoring.ts";
import type { Metrics } from "../helpers/metrics.ts";
import { needs } from "../helpers/needs.ts";
import { readPromql, type Selector } from "../helpers/promql.ts";
import { serveApp } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { findTool } from "../tools.ts";

const RUNBOOKS = "docs/runbooks.md";
const GRID_COLUMNS = 24;
/** Labels that a target has, not a metric. */
const TARGET_LABELS = new Set(["namespace", "job", "instance", "pod"]);

const alerts = RULES.filter((rule) => rule["alert"] !== undefined);
const panels = mappings(at(DASHBOARD, "panels"));

describe("the rules", needs("promtool"), () => {
  it("pass promtool check rules", () => {
    assert.equal(
      promtool("check", "rules", RULES_FILE),
      `Checking ${RULES_FILE}\n  SUCCESS: ${RULES.length} rules found\n\n`,
    );
  });

  it("pass promtool test rules", () => {
    assert.match(promtool("test", "rules", CASES_FILE), /SUCCESS/);
  });
});

describe("every alert", () => {
  const cases = mappings(at(parse(readFileSync(CASES_FILE, "utf8")), "tests")).flatMap((test) =>
    mappings(test["alert_rule_test"] ?? []),
  );
  const runbooks = readFileSync(
    fileURLToPath(new URL(`../../${RUNBOOKS}`, import.meta.url)),
    "utf8",
  );

  for (const alert of alerts) {
    const name = asText(alert["alert"]);

    it(`has a case in which it fires: ${name}`, () => {
      const firing = cases.filter(
        (each) => each["alertname"] === name && asList(each["exp_alerts"]).length > 0,
      );
      assert.ok(firing.length > 0);
    });

    it(`has a severity and a runbook: ${name}`, () => {
      assert.match(asText(at(alert, "labels", "severity")), /^(warning|critical)$/);
      assert.equal(at(alert, "annotations", "runbook_url"), `${RUNBOOKS}#${name.toLowerCase()}`);
      const [, section = ""] =
        new RegExp(`^## ${name}\n+(.*?)(?=^## |(?![^]))`, "ms").exec(runbooks) ?? [];
      assert.ok(section.length > 200, `${RUNBOOKS} says too little about ${name}`);
    });
  }

  it("is the only thing runbooks are written for", () => {
    const sections = [...runbooks.matchAll(/^## (Outrigger\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(
      sections,
      alerts.map(({ alert }) => alert),
    );
  });
});

describe("the dashboard", () => {
  it("has panels with numbers of their own, side by side on the grid", () => {
    const ids = panels.map(({ id }) => asNumber(id));
    assert.equal(new Set(ids).size, ids.length);
    const taken = new Set<string>();
    for (const panel of panels) {
      const side = (name: string): number => asNumber(at(panel, "gridPos", name));
      const [x, y, w, h] = [side("x"), side("y"), side("w"), side("h")];
      assert.ok(x >= 0 && w > 0 && h > 0 && x + w <= GRID_COLUMNS, asText(panel["title"]));
      for (let column = x; column < x + w; column += 1) {
        for (let line = y; line < y + h; line += 1) {
          assert.ok(!taken.has(`${column},${line}`), `${asText(panel["title"])} lies on another`);
          taken.add(`${column},${line}`);
        }
      }
    }
  });

  it("reads its data source, and only variables it has", () => {
    const variables = mappings(at(DASHBOARD, "templating", "list")).map(({ name }) => asText(name));
    const text = JSON.stringify(DASHBOARD);
    const used = [...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name = ""]) => name);
    assert.deepEqual([...new Set(used)].toSorted(), variables.toSorted());
    for (const panel of panels.filter(({ type }) => type !== "row")) {
      for (const part of [panel, ...mappings(panel["targets"])])
        assert.deepEqual(part["datasource"], { type: "prometheus", uid: "${datasource}" });
      assert.ok(asList(panel["targets"]).length > 0);
      const references = mappings(panel["targets"]).map(({ refId }) => refId);
      assert.equal(new Set(references).size, references.length);
    }
  });

  it("shows requests, connections, queues, workers and drains", () => {
    const rows = panels.filter(({ type }) => type === "row").map(({ title }) => title);
    assert.deepEqual(rows, [
      "Now",
      "Requests: rate, errors, duration",
      "Connections",
      "Workers",
      "Starts, drains, sockets",
    ]);
  });

  it("has nothing in it that promtool does not parse", needs("promtool"), async (t) => {
    const file = join(await tempDir(t), "dashboard.yaml");
    const list = DASHBOARD_EXPRESSIONS.map(({ promql }, index) => ({
      record: `dashboard:expression_${index}:value`,
      expr: promql,
    }));
    await writeFile(file, stringify({ groups: [{ name: "dashboard", rules: list }] }));
    assert.match(promtool("check", "rules", file), /SUCCESS/);
  });
});

describe("what rules and dashboard read", () => {
  const recorded = new Set(RULES.map((rule) => rule["record"]));
  const scope = { after: (cleanup: () => Promise<void>) => after(cleanup) };
  let golden: Metrics;
  before(async () => {
    golden = await scrapeOfDrain(scope);
  });

  for (const { of, promql, legend } of [...RULE_EXPRESSIONS, ...DASHBOARD_EXPRESSIONS]) {
    it(`is in a scrape of the real program: ${of}: ${promql.trim()}`, () => {
      const { selectors, grouping } = readPromql(promql);
      const read = selectors.filter(({ metric }) => !recorded.has(metric));
      for (const selector of read) assertScraped(golden, selector);
      const labels = new Set([
        ...TARGET_LABELS,
        "le",
        ...read.flatMap((one) => labelsOf(golden, one)),
      ]);
      const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
      assert.deepEqual(
        [...grouping, ...shown].filter((label) => !labels.has(label)),
        [],
      );
    });
  }
});

/** What a program says that has answered, failed, and now drains: then every metric has a sample. */
async function scrapeOfDrain(scope: Parameters<typeof serveApp>[0]): Promise<Metrics> {
  const service = await serveApp(scope, "hello.mjs", {
    args: ["--workers", "2", "--drain-delay", "20s", "--access-log", "off"],
  });
  assert.equal((await service.request({ path: "/" })).status, 200);
  assert.equal((await service.request({ path: "/throw" })).status, 500);
  service.program.signal("SIGTERM");
  await service.program.line("draining");
  return await service.metrics();
}

function assertScraped(golden: Metrics, { metric, matchers }: Selector): void {
  const samples = golden.samples.filter(({ name }) => name === metric);
  assert.ok(samples.length > 0, `no metric ${metric}`);
  const own = matchers.filter(({ label }) => !TARGET_LABELS.has(label));
  for (const { label, operator, value } of own) {
    const values = samples.map(({ labels }) => labels[label]);
    assert.ok(
      values.every((one) => one !== undefined),
      `${metric} has no label ${label}`,
    );
    if (value.startsWith("$")) continue;
    const wanted = operator === "=~" ? value.split("|") : [value];
    for (const one of wanted) assert.ok(values.includes(one), `${metric} has no ${label} ${one}`);
  }
}

function labelsOf(golden: Metrics, { metric }: Selector): string[] {
  return golden.samples
    .filter(({ name }) => name === metric)
    .flatMap(({ labels }) => Object.keys(labels));
}

function promtool(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(findTool("promtool") ?? "", args, {
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}
