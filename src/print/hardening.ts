import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { quoteWord } from "./unit-text.ts";

const FIRST_ORDINARY_PORT = 1024;

/**
 * What a service of ours can do without (systemd.exec(5)). It keeps what we need: sockets, the
 * memory of /dev/shm, the kernel's tables of sockets, and a V8 that writes code.
 */
export function formatHardening(config: Config, cwd: string): string {
  const elsewhere = socketFolders(config).filter(
    (folder) => !isBelow(folder, ["/run", "/var/run"]),
  );
  const isInHome = isBelow(cwd, ["/home", "/root", "/run/user"]);
  const isInTmp = [cwd, ...elsewhere].some((folder) => isBelow(folder, ["/tmp", "/var/tmp"]));
  const lines = [
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    ...elsewhere.map((folder) => `ReadWritePaths=${quoteWord(folder)}`),
    `ProtectHome=${isInHome ? "read-only" : "yes"}`,
    ...(isInTmp ? [] : ["PrivateTmp=yes"]),
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    ...formatCapabilities(config),
  ];
  return lines.join("\n");
}

function formatCapabilities({ endpoints, ops, probe }: Config): readonly string[] {
  const addresses = endpoints.filter((endpoint) => endpoint.kind === "tcp");
  const ports = [...addresses, ops, probe].flatMap((address) => address?.port ?? []);
  const isLow = ports.some((port) => port > 0 && port < FIRST_ORDINARY_PORT);
  if (!isLow) return ["CapabilityBoundingSet="];
  return ["AmbientCapabilities", "CapabilityBoundingSet"].map(
    (name) => `${name}=CAP_NET_BIND_SERVICE`,
  );
}

function socketFolders({ endpoints }: Config): readonly string[] {
  return endpoints.flatMap((endpoint) =>
    endpoint.kind === "unix" ? [dirname(endpoint.path)] : [],
  );
}

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
