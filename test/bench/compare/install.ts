/** Gets the servers of others: PM2 into a directory of ours, gunicorn from Debian. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { findTool, installPackages } from "../../tools.ts";
import { cluster } from "./cluster.ts";
import { createGunicorn } from "./gunicorn.ts";
import { outrigger } from "./outrigger.ts";
import { PEER_NAMES, type Peer, type PeerName } from "./peer.ts";
import { createPm2 } from "./pm2.ts";

const PM2_VERSION = "7.0.4";
const INSTALL_TIMEOUT_MS = 2 * 60_000;

export interface Installed extends Disposable {
  readonly peers: readonly Peer[];
  /** Those that could not be installed. */
  readonly missing: readonly PeerName[];
}

/** Installs what is wanted and not there; disposing removes what is not part of the system. */
export function installPeers(wanted: readonly PeerName[]): Installed {
  const dir = mkdtempSync("/tmp/or-peers-");
  const found = new Map<PeerName, Peer | undefined>(
    PEER_NAMES.filter((name) => wanted.includes(name)).map((name) => [name, install(name, dir)]),
  );
  return {
    peers: [...found.values()].filter((peer) => peer !== undefined),
    missing: [...found].filter(([, peer]) => peer === undefined).map(([name]) => name),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true }),
  };
}

function install(name: PeerName, dir: string): Peer | undefined {
  switch (name) {
    case "outrigger":
      return outrigger;
    case "cluster":
      return cluster;
    case "pm2":
      return installPm2(dir);
    case "gunicorn":
      return installGunicorn();
  }
}

function installPm2(dir: string): Peer | undefined {
  const args = ["install", "--prefix", dir, "--no-audit", "--no-fund", `pm2@${PM2_VERSION}`];
  const { status } = spawnSync("npm", args, {
    stdio: ["ignore", "ignore", 2],
    timeout: INSTALL_TIMEOUT_MS,
  });
  return status === 0 ? createPm2(dir) : undefined;
}

function installGunicorn(): Peer | undefined {
  if (findTool("gunicorn") === undefined) installPackages(["gunicorn"]);
  const program = findTool("gunicorn");
  return program === undefined ? undefined : createGunicorn(program);
}
