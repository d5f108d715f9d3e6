import { basename, dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { formatFlags } from "./flags.ts";
import { formatHostPort } from "../host-port.ts";

const MARGIN_SECONDS = 5;
const DEFAULT_NAME = "outrigger";
/** That of the workers of nginx on Debian. */
const NGINX_GROUP = "www-data";

export interface UnitPlace {
  /** Folder of the app, absolute. */
  readonly cwd: string;
}

/** Writes a service unit; systemd makes and removes the directory of a socket below /run. */
export function printSystemd(config: Config, plain: Config, { cwd }: UnitPlace): string {
  const directory = findRuntimeDirectory(config);
  const args = [
    config.app,
    ...formatFlags(config, plain),
    `--ops=${config.ops === undefined ? "off" : formatHostPort(config.ops)}`,
  ];
  const stopSeconds = Math.ceil(config.drain.gracePeriodMs / 1000) + MARGIN_SECONDS;
  const command = [`${cwd}/node_modules/.bin/outrigger`, ...args].map(quoteArgument);
  const runtime =
    directory === undefined ? "" : `RuntimeDirectory=${directory}\nRuntimeDirectoryMode=0755\n`;
  return `[Unit]
Description=${basename(config.app)} behind Outrigger
After=network.target

[Service]
Type=exec
User=${DEFAULT_NAME}
# the group of nginx, so that mode 0660 lets it in
Group=${findGroup(config)}
WorkingDirectory=${escape(cwd)}
${runtime}ExecStart=${command.join(" ")}
ExecReload=kill -HUP $MAINPID
KillMode=mixed
TimeoutStopSec=${stopSeconds}
Restart=on-failure

[Install]
WantedBy=multi-user.target
`;
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

/** A percent sign begins a specifier. */
function escape(text: string): string {
  return text.replaceAll("%", "%%");
}

/** A dollar sign begins a variable, but only in a command. */
function quoteArgument(word: string): string {
  return quoteWord(word.replaceAll("$", "$$$$"));
}

/** Blanks and the like take quotes. */
function quoteWord(word: string): string {
  const plain = escape(word);
  return /[\s"'\\;]/.test(plain) ? `"${plain.replaceAll(/["\\]/g, "\\$&")}"` : plain;
}
