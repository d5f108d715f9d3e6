import { parser } from "@prometheus-io/lezer-promql";

export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

/** A metric an expression reads, with the matchers it is chosen by. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

export interface Reading {
  readonly selectors: readonly Selector[];
  /** Labels of `by (…)` and `on (…)`. */
  readonly grouping: readonly string[];
}

/** What an expression reads; fails where it is no PromQL. */
export function readPromql(expression: string): Reading {
  const selectors: { metric: string; matchers: Matcher[] }[] = [];
  const grouping: string[] = [];
  const text = (from: number, to: number): string => expression.slice(from, to);
  parser.parse(expression).iterate({
    enter: ({ name, from, to, node }) => {
      if (name === "⚠") throw new Error(`Not PromQL from ${text(from, to + 20)}: ${expression}`);
      if (name === "VectorSelector") {
        const metric = node.getChild("Identifier");
        if (metric === null) throw new Error(`A selector has no metric name: ${expression}`);
        selectors.push({ metric: text(metric.from, metric.to), matchers: [] });
      }
      if (name === "UnquotedLabelMatcher") {
        const [label = "", operator = "", value = ""] = ["LabelName", "MatchOp", "StringLiteral"]
          .map((child) => node.getChild(child))
          .map((child) => (child === null ? "" : text(child.from, child.to)));
        selectors.at(-1)?.matchers.push({ label, operator, value: value.slice(1, -1) });
      }
      if (name === "LabelName" && node.parent?.name === "GroupingLabels")
        grouping.push(text(from, to));
    },
  });
  return { selectors, grouping };
}
