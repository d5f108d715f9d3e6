import { flagOf, variableOf } from "../config/option-names.ts";
import { OPTION_GROUPS, type OptionSource } from "../config/option-spec.ts";
import { OPTION_NAMES, OPTIONS, type OptionName } from "../config/options.ts";

/** Writes the table of all options for the README, as Markdown. */
export function formatFlagTable(): string {
  const names = OPTION_GROUPS.flatMap((group) =>
    OPTION_NAMES.filter((name) => OPTIONS[name].group === group),
  );
  const rows = [
    ["Flag", "Variable", "Config key", "Default", "Meaning"],
    ["---", "---", "---", "---", "---"],
    ...names.map(formatRow),
  ];
  return `${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

function formatRow(name: OptionName): readonly string[] {
  const { kind, description, default: fallback } = OPTIONS[name];
  return [
    codeIf(name, "flag", `${flagOf(name)} ${kind.placeholder}`.trim()),
    codeIf(name, "variable", variableOf(name)),
    codeIf(name, "file", name),
    fallback === undefined ? "" : code(String(fallback)),
    escape(description),
  ];
}

function codeIf(name: OptionName, source: OptionSource, text: string): string {
  return OPTIONS[name].sources?.includes(source) === false ? "" : code(text);
}

function code(text: string): string {
  return `\`${escape(text)}\``;
}

function escape(text: string): string {
  return text.replaceAll("|", "\\|");
}
