import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { findTool } from "../tools.ts";
import { eventually } from "./deadline.ts";
import { freePort } from "./nginx.ts";
import { startGroup } from "./process-group.ts";
import type { Scope } from "./scope.ts";

const DEADLINE_MS = 15_000;
const ATTEMPTS = 5;

export interface HaproxyOptions {
  /** A directory of the test. */
  readonly dir: string;
  readonly mode: "tcp" | "http";
  /** What follows the name in the `server` line: address and options. */
  readonly server: string;
}

/** Starts a real HAProxy with one server behind it; resolves with the port it accepts on. */
export async function startHaproxy(scope: Scope, options: HaproxyOptions): Promise<number> {
  const { dir, mode, server } = options;
  const file = join(dir, "haproxy.cfg");
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    await writeFile(
      file,
      [
        "defaults",
        `  mode ${mode}`,
        "  timeout connect 5s",
        "  timeout client 30s",
        "  timeout server 30s",
        "frontend front",
        `  bind 127.0.0.1:${port}`,
        "  default_backend app",
        "backend app",
        `  server app ${server}`,
        "",
      ].join("\n"),
    );
    const group = startGroup(scope, findTool("haproxy") ?? "haproxy", {
      args: ["-db", "-q", "-f", file],
      env: {},
    });
    let said = "";
    group.stdout.resume();
    group.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    let hasEnded = false;
    group.closed.then(
      () => (hasEnded = true),
      () => {},
    );
    const isUp = await eventually(
      DEADLINE_MS,
      async () => (hasEnded ? false : (await accepts(port)) || undefined),
      "HAProxy to accept",
    );
    if (isUp) return port;
    // Somebody else took the port that was free a moment ago.
    if (!said.includes("in use") || attempt === ATTEMPTS)
      throw new Error(`HAProxy did not start: ${said}`);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
