import { basename, dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { formatFlags } from "./flags.ts";
import { formatHostPort } from "../host-port.ts";
import { formatHardening } from "./hardening.ts";
import { socketUnitsOf } from "./systemd-socket.ts";
import { DEFAULT_UNIT, escapePercent, NGINX_GROUP, quoteArgument, quoteWord } from "./unit-text.ts";

const MARGIN_SECONDS = 5;
const WATCHDOG_SECONDS = 30;

export interface UnitPlace {
  /** Folder of the app, absolute. */
  readonly cwd: string;
}

/** Writes a service unit; systemd makes and removes the directory of a socket below /run. */
export function printSystemd(config: Config, plain: Config, { cwd }: UnitPlace): string {
  const args = [
    config.app,
    ...formatFlags(config, plain),
    `--ops=${config.ops === undefined ? "off" : formatHostPort(config.ops)}`,
  ];
  const stopSeconds = Math.ceil(config.drain.gracePeriodMs / 1000) + MARGIN_SECONDS;
  const command = [`${cwd}/node_modules/.bin/outrigger`, ...args].map(quoteArgument);
  // Two instances of a template take turns.
  const unit = config.takeover ? `${DEFAULT_UNIT}@` : DEFAULT_UNIT;
  return `# /etc/systemd/system/${unit}.service
[Unit]
Description=${escapePercent(basename(config.app))} behind Outrigger
After=network.target
${formatSockets(config)}
[Service]
Type=notify
# systemd-notify speaks for us, from a process of its own
NotifyAccess=all
WatchdogSec=${WATCHDOG_SECONDS}
User=${DEFAULT_UNIT}
# the group of nginx, so that mode 0660 lets it in
Group=${findGroup(config)}
WorkingDirectory=${escapePercent(cwd)}
${formatRuntimeDirectory(config)}ExecStart=${command.join(" ")}
ExecReload=kill -HUP $MAINPID
KillMode=mixed
# the grace period and ${MARGIN_SECONDS} s
TimeoutStopSec=${stopSeconds}
Restart=on-failure
RestartSec=1

# what the app does without; where it writes files, add ReadWritePaths= or StateDirectory=
${formatHardening(config, cwd)}

[Install]
WantedBy=multi-user.target
`;
}

function formatSockets(config: Config): string {
  const units = socketUnitsOf(config)
    .map(({ unit }) => unit)
    .join(" ");
  return units === "" ? "" : `Requires=${units}\nAfter=${units}\n`;
}

function formatRuntimeDirectory(config: Config): string {
  const directory = findRuntimeDirectory(config);
  if (directory === undefined) return "";
  const preserve = config.takeover ? "RuntimeDirectoryPreserve=yes\n" : "";
  return `RuntimeDirectory=${directory}\nRuntimeDirectoryMode=0755\n${preserve}`;
}

/** The name below /run of the directory that holds the socket; undefined when it is elsewhere. */
function findRuntimeDirectory({ endpoints }: Config): string | undefined {
  for (const endpoint of endpoints) {
    const directory = endpoint.kind === "unix" ? dirname(endpoint.path) : "";
    const [, name] = /^(?:\/var)?\/run\/(.+)$/.exec(directory) ?? [];
    if (name !== undefined) return quoteWord(name);
  }
  return undefined;
}

/** The group of the first socket that names one. */
function findGroup({ endpoints }: Config): string {
  const groups = endpoints.flatMap(
    (endpoint) => (endpoint.kind === "unix" && endpoint.group) || [],
  );
  return groups[0] ?? NGINX_GROUP;
}
