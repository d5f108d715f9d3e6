import { fileURLToPath } from "node:url";
import { startGroup } from "../../helpers/process-group.ts";
import { runGroup } from "./group-peer.ts";
import { WORKERS, type Peer } from "./peer.ts";

/** `node PRIMARY WORKERS SCRIPT [ARGUMENT…]` */
export const PRIMARY: string = fileURLToPath(new URL("./cluster-primary.ts", import.meta.url));
const SERVER = fileURLToPath(new URL("./node-server.ts", import.meta.url));

/** node:cluster, round robin, with a rolling restart written by hand. */
export const cluster: Peer = {
  name: "cluster",
  title: `node:cluster of Node ${process.version}`,
  canRecycle: false,
  async start(scope, { socket, notes }) {
    const group = startGroup(scope, process.execPath, {
      args: [PRIMARY, String(WORKERS), SERVER],
      env: { ...process.env, COMPARE_SOCKET: socket, COMPARE_NOTES: notes },
    });
    return await runGroup(group, { notes, reload: async () => group.signal("SIGHUP") });
  },
};
