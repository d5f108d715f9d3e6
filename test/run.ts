/**
 * `npm test -- [--node 24|26] [--test-…] [part of a file name …]`: builds the program, then runs the suite.
 * OUTRIGGER_TEST_NODE is the same as --node.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isNodeLine, nodeBinary, pinnedVersion, type NodeLine } from "./node-versions.ts";
import { ensureTools, installHint, type Tool } from "./tools.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
// End-to-end tests measure time; more files at once than this would make two cores too busy for that.
const CONCURRENCY = 2;
const CONTAINERS = "test/containers/";
const IMAGE_NODE: NodeLine = "26";
// A backstop against tests that hang; each test has its own deadlines.
const TIMEOUT_MS = 5 * 60_000;

interface Invocation {
  readonly node: string;
  readonly files: readonly string[];
  readonly flags: readonly string[];
}

function main(args: readonly string[]): number {
  if (process.version !== pinnedVersion()) {
    return fail(
      `Tests run on Node ${pinnedVersion()}, this is ${process.version}: run npm ci, then npm test`,
    );
  }
  const invocation = parseArguments(args);
  if (typeof invocation === "string") return fail(invocation);
  const missing = ensureTools();
  if (!build()) return fail("Cannot test: the build failed");
  if (missing.length === 0) prepareImages(invocation.files);
  const { code, skipped } = runSuite(invocation);
  return judge(code, skipped, missing);
}

function parseArguments(args: readonly string[]): Invocation | string {
  const rest = [...args];
  const at = rest.indexOf("--node");
  const [, chosen] = at === -1 ? [] : rest.splice(at, 2);
  const line = chosen ?? process.env["OUTRIGGER_TEST_NODE"] ?? "26";
  const node = isNodeLine(line) ? nodeBinary(line) : undefined;
  if (!isNodeLine(line) || node === undefined)
    return `Cannot test on Node "${line}": expected 24 or 26, installed by npm ci`;
  const parts = rest.filter((arg) => !arg.startsWith("-"));
  const files = testFiles(line).filter(
    (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
  );
  if (files.length === 0)
    return `Cannot find a test file whose name contains ${parts.join(" or ")}`;
  return { node, files, flags: rest.filter((arg) => arg.startsWith("-")) };
}

function testFiles(line: NodeLine): string[] {
  const exclude = ["test/node_modules/**", "test/fixtures/**"];
  // Containers run the Node of their image, whichever one runs the tests.
  if (line !== IMAGE_NODE) exclude.push(`${CONTAINERS}**`);
  return globSync("test/**/*.test.ts", { cwd: ROOT, exclude }).toSorted();
}

function build(): boolean {
  const { status } = spawnSync("npm", ["run", "--silent", "build"], {
    cwd: ROOT,
    stdio: "inherit",
  });
  return status === 0;
}

/** Makes the images that containers of the tests run, which would take a test longer than it may. */
function prepareImages(files: readonly string[]): void {
  if (process.getuid?.() !== 0 || !files.some((file) => file.startsWith(CONTAINERS))) return;
  // When it fails, the tests say so too.
  spawnSync(process.execPath, ["test/containers/prepare.ts"], { cwd: ROOT, stdio: "inherit" });
}

function runSuite({ node, files, flags }: Invocation): { code: number; skipped: string[] } {
  const notes = mkdtempSync("/tmp/or-run-");
  const skippedFile = join(notes, "skipped");
  try {
    const { status } = spawnSync(
      node,
      [
        "--test",
        `--test-concurrency=${CONCURRENCY}`,
        `--test-timeout=${TIMEOUT_MS}`,
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        "--test-reporter=./test/skipped-reporter.ts",
        `--test-reporter-destination=${skippedFile}`,
        ...flags,
        ...files,
      ],
      { cwd: ROOT, stdio: "inherit" },
    );
    return { code: status ?? 1, skipped: readLines(skippedFile) };
  } finally {
    rmSync(notes, { recursive: true });
  }
}

function judge(code: number, skipped: readonly string[], missing: readonly Tool[]): number {
  if (missing.length > 0) {
    console.error(
      `\n!!! Not installed: ${missing.join(", ")}. To test everything: ${installHint(missing)}`,
    );
  }
  if (skipped.length === 0) return code;
  console.error(
    `\n!!! ${skipped.length} cases were SKIPPED:\n${skipped.map((line) => `!!!   ${line}`).join("\n")}`,
  );
  return process.env["CI"] === "true" && code === 0 ? fail("In CI every case has to run") : code;
}

function readLines(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

function fail(sentence: string): number {
  console.error(sentence);
  return 1;
}

process.exitCode = main(process.argv.slice(2));
