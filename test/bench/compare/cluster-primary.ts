/**
 * node:cluster as its users write it: a crashed worker is replaced, HUP is a rolling restart, TERM stops.
 * `node cluster-primary.ts WORKERS SCRIPT [ARGUMENT…]`
 */
import cluster from "node:cluster";
import { once } from "node:events";

const [, , workers, exec = "", ...args] = process.argv;
// As in the example of Node's own documentation, with more time.
const KILL_AFTER_MS = 10_000;

cluster.setupPrimary({ exec, args });
for (let index = 0; index < Number(workers); index += 1) cluster.fork();

cluster.on("exit", (worker) => {
  if (!worker.exitedAfterDisconnect) cluster.fork();
});

process.on("SIGHUP", () => void restartAll());
process.once("SIGTERM", () => {
  for (const worker of Object.values(cluster.workers ?? {})) worker?.send("shutdown");
  cluster.disconnect(() => process.exit(0));
});

async function restartAll(): Promise<void> {
  for (const old of Object.values(cluster.workers ?? {})) {
    await once(cluster.fork(), "listening");
    if (old === undefined || !old.isConnected()) continue;
    old.send("shutdown");
    old.disconnect();
    const timer = setTimeout(() => old.process.kill("SIGKILL"), KILL_AFTER_MS);
    old.once("exit", () => clearTimeout(timer));
  }
}
