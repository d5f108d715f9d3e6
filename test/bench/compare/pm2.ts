import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startGroup } from "../../helpers/process-group.ts";
import { runGroup } from "./group-peer.ts";
import { WORKERS, type Peer, type Place } from "./peer.ts";

const SERVER = fileURLToPath(new URL("./node-server.ts", import.meta.url));
const RELOAD_WITHIN_MS = 60_000;
const run = promisify(execFile);

/**
 * PM2 in cluster mode, installed in `folder`. `pm2-runtime` is its daemon in the foreground, the way
 * containers run it, so it is stopped like any other process.
 */
export function createPm2(folder: string): Peer {
  const home = join(folder, "node_modules/pm2");
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as {
    version: string;
  };
  return {
    name: "pm2",
    title: `PM2 ${manifest.version}, cluster mode`,
    canRecycle: false,
    async start(scope, place) {
      const env = {
        ...process.env,
        PM2_HOME: join(place.dir, "pm2"),
        PM2_DISABLE_UPDATE_CHECK: "1",
      };
      const config = join(place.dir, "ecosystem.config.json");
      writeFileSync(config, JSON.stringify(configFor(place)));
      const group = startGroup(scope, process.execPath, {
        args: [join(home, "bin/pm2-runtime"), "start", config],
        env,
      });
      const reload = async (): Promise<void> => {
        const args = [join(home, "bin/pm2"), "reload", "app"];
        await run(process.execPath, args, { env, timeout: RELOAD_WITHIN_MS });
      };
      return await runGroup(group, { notes: place.notes, reload });
    },
  };
}

/** With what its documents recommend for a graceful reload. */
function configFor({ socket, notes }: Place): object {
  return {
    apps: [
      {
        name: "app",
        script: SERVER,
        interpreter: "node",
        exec_mode: "cluster",
        instances: WORKERS,
        wait_ready: true,
        listen_timeout: 10_000,
        kill_timeout: 10_000,
        env: { COMPARE_SOCKET: socket, COMPARE_NOTES: notes },
      },
    ],
  };
}
