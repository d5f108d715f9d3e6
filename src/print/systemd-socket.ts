import { basename } from "node:path";
import type { Config } from "../config/config.ts";
import { OutriggerError } from "../errors.ts";
import { DEFAULT_UNIT, escapePercent, NGINX_GROUP } from "./unit-text.ts";

const SUFFIX = ".socket";

/** A socket unit, and the name that its sockets are handed over with. */
interface SocketUnit {
  readonly unit: string;
  readonly socketName: string;
}

/** The socket units whose sockets a configuration wants to be handed. */
export function socketUnitsOf({ endpoints }: Config): readonly SocketUnit[] {
  const names = endpoints.flatMap((endpoint) =>
    endpoint.kind === "handed" && endpoint.source.by === "name" ? [endpoint.source.socketName] : [],
  );
  return names.map((socketName) => ({
    unit: socketName.endsWith(SUFFIX) ? socketName : `${socketName}${SUFFIX}`,
    socketName,
  }));
}

/** Writes the socket units: systemd opens a Unix socket in each, and keeps it while the service restarts. */
export function printSocketUnits(config: Config): string {
  const units = socketUnitsOf(config);
  if (units.length > 0) return units.map((unit) => formatUnit(unit, config.app)).join("\n");
  const reason = "no endpoint is handed over by systemd: add --listen systemd:web";
  throw new OutriggerError("ERR_USAGE", `Cannot print this snippet: ${reason}`);
}

function formatUnit({ unit, socketName }: SocketUnit, app: string): string {
  const path = `/run/${unit.slice(0, -SUFFIX.length)}.sock`;
  // Sockets are handed over with the name of their unit unless it says another.
  const naming = socketName === unit ? "" : `FileDescriptorName=${escapePercent(socketName)}\n`;
  return `# /etc/systemd/system/${unit}
[Unit]
Description=Socket of ${escapePercent(basename(app))} behind Outrigger

[Socket]
# a port is written alone, or as 127.0.0.1:8080; there may be several such lines
ListenStream=${escapePercent(path)}
${naming}# the group of nginx
SocketGroup=${NGINX_GROUP}
SocketMode=0660
Service=${DEFAULT_UNIT}.service

[Install]
WantedBy=sockets.target
`;
}
