import type { Snapshot } from "../snapshot.ts";
import type { CheckResult, Verdict } from "./health.ts";

/** How much a text answer says: the verdict alone, or every check. */
export type Detail = "brief" | "verbose";

/** Media type of draft-inadarei-api-health-check-06. */
export const HEALTH_JSON = "application/health+json";

/** Writes a verdict as kube-apiserver does: `ok`, or a line per check and the verdict last. */
export function formatText(verdict: Verdict, detail: Detail): string {
  if (verdict.passed && detail === "brief") return "ok";
  const lines = verdict.checks.map(formatCheck);
  if (verdict.unknownExclusions.length > 0) {
    const names = verdict.unknownExclusions.map((name) => JSON.stringify(name)).join(",");
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  lines.push(`${verdict.probe} check ${verdict.passed ? "passed" : "failed"}`);
  return `${lines.join("\n")}\n`;
}

/** Writes a verdict as `application/health+json`. */
export function formatHealthJson(verdict: Verdict, snapshot: Snapshot): string {
  const time = new Date(snapshot.takenAtMs).toISOString();
  const excluded = verdict.checks.filter((check) => check.outcome === "excluded");
  const failed = verdict.checks.filter((check) => check.outcome === "failed");
  const body = {
    status: verdict.passed ? "pass" : "fail",
    version: snapshot.version.split(".")[0],
    releaseId: snapshot.version,
    serviceId: "outrigger",
    description: `outrigger ${verdict.probe}`,
    ...(excluded.length === 0 ? {} : { notes: excluded.map((check) => `${check.name} excluded`) }),
    ...(failed.length === 0
      ? {}
      : { output: failed.map((check) => `${check.name}: ${check.reason}`).join("; ") }),
    checks: Object.fromEntries(
      verdict.checks.map((check) => [check.name, [describeCheck(check, time)]]),
    ),
  };
  return JSON.stringify(body);
}

function formatCheck(check: CheckResult): string {
  if (check.outcome === "ok")
    return `[+]${check.name} ok${check.note === undefined ? "" : `: ${check.note}`}`;
  if (check.outcome === "excluded") return `[+]${check.name} excluded: ok`;
  return `[-]${check.name} failed: ${onOneLine(check.reason)}`;
}

function describeCheck(check: CheckResult, time: string): object {
  const about = { componentType: "component", time };
  return check.outcome === "failed"
    ? { ...about, status: "fail", output: check.reason }
    : { ...about, status: "pass", ...noteOf(check) };
}

function noteOf(check: CheckResult): { readonly output?: string } {
  return check.outcome === "ok" && check.note !== undefined ? { output: check.note } : {};
}

/** An app's own health message may span lines; a reader of the list counts on one line a check. */
function onOneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
