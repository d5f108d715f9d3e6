import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startGroup } from "../../helpers/process-group.ts";
import { runGroup } from "./group-peer.ts";
import { MAX_REQUESTS, WORKERS, type Peer } from "./peer.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
/** More than there are requests at a time, as a Node worker has no such limit either. */
const THREADS = 32;
const KEEP_ALIVE_SECONDS = 75;

/** gunicorn with threads, for which it was installed. */
export function createGunicorn(program: string): Peer {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const [, version = "?"] = /version ([\d.]+)/.exec(stdout) ?? [];
  return {
    name: "gunicorn",
    title: `gunicorn ${version}, gthread`,
    canRecycle: true,
    async start(scope, { socket, notes, isRecycling }) {
      const group = startGroup(scope, program, {
        args: [
          ...["--chdir", FOLDER, "--bind", `unix:${socket}`, "--workers", String(WORKERS)],
          ...["--worker-class", "gthread", "--threads", String(THREADS)],
          ...["--keep-alive", String(KEEP_ALIVE_SECONDS)],
          ...(isRecycling ? ["--max-requests", String(MAX_REQUESTS)] : []),
          ...(isRecycling ? ["--max-requests-jitter", String(MAX_REQUESTS / 10)] : []),
          "wsgi:app",
        ],
        env: { ...process.env, COMPARE_NOTES: notes, PYTHONDONTWRITEBYTECODE: "1" },
      });
      return await runGroup(group, { notes, reload: async () => group.signal("SIGHUP") });
    },
  };
}
