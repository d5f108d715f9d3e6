/** What `k8s/monitoring` consists of, as tests read it. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { asText, at, mappings, type Fields } from "./kustomize/fields.ts";
import { K8S } from "./kustomize/overlay.ts";

export const RULES_FILE: string = `${K8S}monitoring/rules.yaml`;
export const CASES_FILE: string = `${K8S}monitoring/rules.test.yaml`;
const DASHBOARD_FILE = `${K8S}monitoring/dashboard.json`;

/** An expression of a rule or a panel. */
export interface Expression {
  /** Name of what it belongs to. */
  readonly of: string;
  readonly promql: string;
  /** Text with `{{label}}` in it, of a panel. */
  readonly legend: string;
}

/** Recording and alerting rules, of all groups. */
export const RULES: readonly Fields[] = mappings(
  at(parse(readFileSync(RULES_FILE, "utf8")), "groups"),
).flatMap((group) => mappings(group["rules"]));

export const DASHBOARD: unknown = JSON.parse(readFileSync(DASHBOARD_FILE, "utf8"));

export const RULE_EXPRESSIONS: readonly Expression[] = RULES.map((rule) => ({
  of: asText(rule["alert"] ?? rule["record"]),
  promql: asText(rule["expr"]),
  legend: "",
}));

export const DASHBOARD_EXPRESSIONS: readonly Expression[] = [
  ...mappings(at(DASHBOARD, "panels")).flatMap((panel) =>
    mappings(panel["targets"]).map((target) => ({
      of: asText(panel["title"]),
      promql: withoutVariables(asText(target["expr"])),
      legend: asText(target["legendFormat"]),
    })),
  ),
  ...mappings(at(DASHBOARD, "annotations", "list")).map((annotation) => ({
    of: asText(annotation["name"]),
    promql: withoutVariables(asText(annotation["expr"])),
    legend: asText(annotation["titleFormat"]),
  })),
];

/** Grafana puts a duration in for this one; the other variables stand in strings. */
function withoutVariables(promql: string): string {
  return promql.replaceAll("$__rate_interval", "5m");
}
