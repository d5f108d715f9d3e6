import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { findTool, type Tool } from "../tools.ts";
import { UNSHARE } from "./pid-namespace.ts";

/** Options for a test that is skipped, and reported as such, when one of the tools is missing. */
export function needs(...tools: readonly Tool[]): { readonly skip: string | false } {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  return { skip: missing.length > 0 && `not installed: ${missing.join(", ")}` };
}

/** Options for a test that plays several users, which only root can. */
export function needsRoot(): { readonly skip: string | false } {
  return { skip: process.getuid?.() !== 0 && "needs root" };
}

/** Options for a test that makes a process the first of a pid namespace, which a sandbox may forbid. */
export function needsPidNamespace(): { readonly skip: string | false } {
  const { status } = spawnSync("unshare", [...UNSHARE, "true"], { stdio: "ignore" });
  return { skip: status !== 0 && "unshare is not permitted" };
}

/** Options for a test that asks of the system what Node cannot. */
export function needsPerl(): { readonly skip: string | false } {
  return { skip: !existsSync("/usr/bin/perl") && "not installed: perl" };
}
