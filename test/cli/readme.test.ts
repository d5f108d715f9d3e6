import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { formatFlagTable } from "../../src/cli/flag-table.ts";
import { EndpointCounters } from "../../src/counters.ts";
import { createMetricsWriter } from "../../src/ops/metrics.ts";
import { describeStatus } from "../../src/ops/status.ts";
import { endpointFixture, snapshotFixture, workerFixture } from "../helpers/snapshot.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENTS = ["README.md", "CHANGELOG.md", ...globSync("docs/*.md", { cwd: ROOT }).toSorted()];
const FLAG_TABLE = /(?<=<!-- flags:start -->\n).*?(?=<!-- flags:end -->)/s;

if (process.env["UPDATE_README"] === "1")
  writeFileSync(join(ROOT, "README.md"), read("README.md").replace(FLAG_TABLE, formatFlagTable()));

describe("README", () => {
  it("has the table of flags the program writes", () => {
    const [table] = FLAG_TABLE.exec(read("README.md")) ?? [];
    const hint = "README.md is behind the program: run UPDATE_README=1 npm test -- readme";
    assert.equal(table, formatFlagTable(), hint);
  });
});

for (const document of DOCUMENTS) {
  describe(document, () => {
    it("links to files and headings that exist", () => {
      assert.deepEqual(linksOf(document).filter(isBroken), []);
    });

    it("names metrics that exist", async () => {
      const known = await scrapedNames();
      assert.deepEqual(
        metricsIn(read(document)).filter((name) => !known.has(name)),
        [],
      );
    });
  });
}

describe("docs/operations.md", () => {
  it("names every metric", async () => {
    const text = read("docs/operations.md");
    const families = [...(await scrape()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    assert.deepEqual(
      families.filter((name) => !text.includes(`\`${name}\``)),
      [],
    );
  });
});

describe("the status", () => {
  it("is documented field by field", () => {
    const [section = ""] = /\n### Status\n[^]*?\n## /.exec(read("docs/operations.md")) ?? [];
    const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = ""]) => cell);
    const named = cells.flatMap((cell) => [...cell.matchAll(/`(.+?)`/g)].map(([, name]) => name));
    const there = fieldsOf(JSON.parse(JSON.stringify(describeStatus(FULL_SNAPSHOT))));
    // What has a count for each reason is named as a whole.
    const isNamed = (field: string): boolean =>
      named.some((name) => name === field || field.startsWith(`${name}.`));
    assert.deepEqual(
      there.filter((field) => !isNamed(field)),
      [],
    );
    assert.deepEqual(
      named.filter(
        (name) => !there.some((field) => field === name || field.startsWith(`${name}.`)),
      ),
      [],
    );
  });
});

/** Nothing of it is unknown. */
const FULL_SNAPSHOT = snapshotFixture({
  drainStartedAtMs: 1_700_000_050_000,
  drainDeadlineAtMs: 1_700_000_080_000,
  drainSignal: "SIGUSR2",
  endpoints: [
    endpointFixture({
      up: false,
      problem: "withdrawn",
      counters: usedCounters(),
      tls: { expiresAtMs: 1_800_000_000_000, isCurrent: true },
    }),
  ],
  workers: [workerFixture({ health: { healthy: false, message: "no database" } })],
  backoffs: [{ slot: 1, failures: 3, retryInMs: 100 }],
});

function usedCounters(): EndpointCounters {
  const counters = new EndpointCounters();
  counters.countFinished("GET", 200, 0.1);
  return counters;
}

/** Every value in it by its path, such as `endpoints[].name`. */
function fieldsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => fieldsOf(item, `${path}[]`));
  if (typeof value !== "object" || value === null) return [path];
  const prefix = path === "" ? "" : `${path}.`;
  return Object.entries(value).flatMap(([key, inner]) => fieldsOf(inner, prefix + key));
}

interface Link {
  readonly from: string;
  /** As it is written: a path, `#heading` or both. */
  readonly target: string;
}

function linksOf(document: string): Link[] {
  const targets = [...withoutCode(read(document)).matchAll(/\]\(([^)\s]+)\)/g)];
  return targets
    .map(([, target = ""]) => ({ from: document, target }))
    .filter(({ target }) => !/^[a-z]+:/.test(target));
}

function isBroken({ from, target }: Link): boolean {
  const [path = "", heading] = target.split("#");
  const file = path === "" ? from : join(dirname(from), path);
  if (!existsSync(join(ROOT, file))) return true;
  return heading !== undefined && !headingsOf(file).includes(heading);
}

/** The anchors GitHub makes of headings. */
function headingsOf(document: string): string[] {
  const headings = [...withoutCode(read(document)).matchAll(/^#+ (.+)$/gm)];
  return headings.map(([, text = ""]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, "");
}

function metricsIn(text: string): string[] {
  return text.match(/\b(?:outrigger|http_server)_[a-z][a-z_]*/g) ?? [];
}

async function scrapedNames(): Promise<Set<string>> {
  const text = await scrape();
  return new Set([...text.matchAll(/^(?:# TYPE )?([a-z_]+)/gm)].map(([, name = ""]) => name));
}

/** A scrape in which every metric has a sample. */
async function scrape(): Promise<string> {
  const counters = new EndpointCounters();
  counters.countStarted();
  counters.countFinished("GET", 200, 0.001);
  const snapshot = snapshotFixture({
    drainStartedAtMs: 1_700_000_050_000,
    endpoints: [endpointFixture({ counters })],
  });
  const { text } = await createMetricsWriter()("text", snapshot);
  return text;
}

function read(document: string): string {
  return readFileSync(join(ROOT, document), "utf8");
}
