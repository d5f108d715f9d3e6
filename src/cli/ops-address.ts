import type { Command } from "commander";
import type { OpsEndpoint } from "../config/config.ts";
import type { FlagValues } from "../config/layers.ts";
import { resolveOpsAddress } from "../config/resolve.ts";
import { OutriggerError } from "../errors.ts";
import type { Host } from "./host.ts";
import { addServeOptions, toConfigInput } from "./serve-options.ts";

/** An address that stands for every interface is reached through loopback. */
const LOOPBACK: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "127.0.0.1" };

/** Gives a subcommand the options that tell where the ops endpoint is; the returned function finds it. */
export function addOpsOptions(command: Command): (host: Host) => OpsEndpoint {
  const readFlags = addServeOptions(command, ["ops", "config"]);
  return (host) => findOps(host, readFlags());
}

function findOps(host: Host, flags: FlagValues): OpsEndpoint {
  const ops = resolveOpsAddress(toConfigInput(host, { app: undefined, flags }));
  if (ops === undefined) {
    throw refuse("it is off; give --ops HOST:PORT to outrigger and here");
  }
  if (ops.port === 0) {
    throw refuse('the system chose its port; give the one of the log line "ready" with --ops');
  }
  return { ...ops, host: LOOPBACK[ops.host] ?? ops.host };
}

function refuse(reason: string): OutriggerError {
  return new OutriggerError("ERR_USAGE", `Cannot ask the ops endpoint: ${reason}`);
}
