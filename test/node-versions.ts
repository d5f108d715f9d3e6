import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Versions of Node the project is developed and tested on. */
export type NodeLine = "24" | "26";

const PACKAGE_PREFIX: Record<NodeLine, string> = { "24": "node24-linux", "26": "node-linux" };

/** The Node version the project's scripts run on. */
export function pinnedVersion(): string {
  const manifest = new URL("./package.json", import.meta.url);
  const { optionalDependencies } = JSON.parse(readFileSync(manifest, "utf8")) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  return `v${optionalDependencies[packageOf("26")] ?? "?"}`;
}

/** Path of an installed Node; undefined when `npm ci` found none for this platform. */
export function nodeBinary(line: NodeLine): string | undefined {
  const path = fileURLToPath(
    new URL(`../node_modules/${packageOf(line)}/bin/node`, import.meta.url),
  );
  return existsSync(path) ? path : undefined;
}

/** Whether there is such a line of Node. */
export function isNodeLine(text: string): text is NodeLine {
  return text in PACKAGE_PREFIX;
}

function packageOf(line: NodeLine): string {
  return `${PACKAGE_PREFIX[line]}-${process.arch}`;
}
