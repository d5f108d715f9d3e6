import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs that end-to-end tests run, with the Debian package that holds each. */
const PACKAGES = {
  nginx: "nginx-light",
  curl: "curl",
  prometheus: "prometheus",
  openssl: "openssl",
  promtool: "prometheus",
  h2load: "nghttp2-client",
  nghttp: "nghttp2-client",
  haproxy: "haproxy",
  tini: "tini",
  busybox: "busybox",
  chromium: "chromium",
  "systemd-socket-activate": "systemd",
  "systemd-notify": "systemd",
  "systemd-analyze": "systemd",
  perl: "perl-base",
  podman: "podman",
  buildah: "buildah",
  runc: "runc",
  debootstrap: "debootstrap",
  catatonit: "catatonit",
  iptables: "iptables",
  netavark: "netavark",
  "aardvark-dns": "aardvark-dns",
} as const;

export type Tool = keyof typeof PACKAGES;

/** What only a benchmark or the screenshots need, and no test. */
type OtherProgram = "gunicorn" | "pngquant";

const TOOLS = Object.keys(PACKAGES) as Tool[];
// Where the path of an ordinary user does not look.
const MORE_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/usr/lib/podman"];
const INSTALL_TIMEOUT_MS = 5 * 60_000;
const POLICY = "/usr/sbin/policy-rc.d";

/** The path of a program; undefined when it is not installed. */
export function findTool(tool: Tool | OtherProgram): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).concat(MORE_FOLDERS);
  return folders.map((folder) => join(folder, tool)).find(isExecutable);
}

/** Installs what is missing where that is possible (as root on Debian) and returns what is missing still. */
export function ensureTools(): readonly Tool[] {
  const missing = missingTools();
  if (missing.length > 0) installPackages(missing.map((tool) => PACKAGES[tool]));
  return missingTools();
}

/** Installs Debian packages where that is possible: as root on Debian. */
export function installPackages(packages: readonly string[]): void {
  if (canInstall()) install(packages);
}

/** How to get the missing tools, as a command line for Debian. */
export function installHint(missing: readonly Tool[]): string {
  return `apt-get install --no-install-recommends ${missing.map((tool) => PACKAGES[tool]).join(" ")}`;
}

function missingTools(): Tool[] {
  return TOOLS.filter((tool) => findTool(tool) === undefined);
}

function canInstall(): boolean {
  return (
    process.getuid?.() === 0 && existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get")
  );
}

function install(packages: readonly string[]): void {
  console.error(`Installing ${packages.join(", ")} through apt`);
  const guarded = !existsSync(POLICY);
  // Tells Debian's package scripts to start no service.
  if (guarded) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    // Without an index update a container has no package lists; with an old one it asks for files that are gone.
    apt("update", "-q");
    apt("install", "-q", "-y", "--no-install-recommends", ...packages);
  } finally {
    if (guarded) rmSync(POLICY);
  }
}

function apt(...args: readonly string[]): void {
  spawnSync("apt-get", args, {
    stdio: ["ignore", 2, 2],
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
