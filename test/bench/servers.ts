import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Everything that can be measured; the first is what the others are compared with. */
export const SERVER_NAMES = ["bare", "control", "metrics", "access-log"] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

export const TITLES: Record<ServerName, string> = {
  bare: "bare node:http",
  control: "bare node:http, a second process (noise of the method)",
  metrics: "Outrigger, metrics on, access log off",
  "access-log": "Outrigger, metrics on, access log to a file",
};

export interface Server {
  readonly name: ServerName;
  readonly socket: string;
  readonly pid: number;
  /** Empties the log: a file that only grows measures how the machine finds memory for it. */
  readonly emptyLog: () => void;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly dir: string;
  readonly core: number;
}

const READY_WITHIN_MS = 10_000;
const RETRY_MS = 20;
const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const APP = fileURLToPath(new URL("./app.ts", import.meta.url));
const BARE = fileURLToPath(new URL("./bare.ts", import.meta.url));

/** Starts a server on a core of its own and resolves when its socket is there. */
export async function startServer(name: ServerName, { dir, core }: StartOptions): Promise<Server> {
  const socket = join(dir, `${name}.sock`);
  const logPath = join(dir, `${name}.log`);
  const log = openSync(logPath, "a");
  const command = [process.execPath, ...argumentsOf(name, socket)];
  const child = spawn("taskset", ["-c", String(core), ...command], { stdio: ["ignore", log, log] });
  closeSync(log);
  await once(child, "spawn");
  const closed = once(child, "close");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await closed;
  };
  for (let waitedMs = 0; !existsSync(socket); waitedMs += RETRY_MS) {
    if (child.exitCode !== null || waitedMs > READY_WITHIN_MS) {
      child.kill("SIGKILL");
      throw new Error(`Cannot start ${TITLES[name]}: see ${logPath}`);
    }
    await delay(RETRY_MS);
  }
  // taskset replaces itself by the command, so this is the server's own id.
  return { name, socket, pid: child.pid ?? 0, emptyLog: () => truncateSync(logPath), stop };
}

function argumentsOf(name: ServerName, socket: string): string[] {
  if (name === "bare" || name === "control") return [BARE, socket];
  const accessLog = name === "metrics" ? "off" : "json";
  return [
    PROGRAM,
    APP,
    "--socket",
    socket,
    "--ops",
    "127.0.0.1:0",
    "--workers",
    "1",
    "--access-log",
    accessLog,
  ];
}
