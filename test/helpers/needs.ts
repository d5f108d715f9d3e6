import { findTool, type Tool } from "../tools.ts";

/** Options for a test that is skipped, and reported as such, when one of the tools is missing. */
export function needs(...tools: readonly Tool[]): { readonly skip: string | false } {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  return { skip: missing.length > 0 && `not installed: ${missing.join(", ")}` };
}
