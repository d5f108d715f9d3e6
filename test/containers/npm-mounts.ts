import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Flags for `buildah build` that let npm in there reach the registry the way npm out here does: with the same
 * settings, certificates, cache and network. Nothing of it stays in the image.
 */
export function npmMounts(dir: string): readonly string[] {
  const npmrc = join(dir, "npmrc");
  const certificates = npmConfig("cafile") ?? process.env["NODE_EXTRA_CA_CERTS"];
  const settings = ["globalconfig", "userconfig"].map((name) => readIfThere(npmConfig(name)));
  const trust = certificates === undefined ? "" : `cafile=${certificates}\n`;
  writeFileSync(npmrc, `${settings.join("\n")}\n${trust}`, { mode: 0o600 });
  const cache = npmConfig("cache");
  return [
    "--network=host",
    `--volume=${npmrc}:/root/.npmrc:ro`,
    ...(cache === undefined || !existsSync(cache) ? [] : [`--volume=${cache}:/root/.npm:rw`]),
    ...(certificates === undefined
      ? []
      : [`--volume=${dirname(certificates)}:${dirname(certificates)}:ro`]),
  ];
}

function npmConfig(name: string): string | undefined {
  const value = execFileSync("npm", ["config", "get", name], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
  return value === "null" || value === "undefined" || value === "" ? undefined : value;
}

function readIfThere(path: string | undefined): string {
  return path !== undefined && existsSync(path) ? readFileSync(path, "utf8") : "";
}
