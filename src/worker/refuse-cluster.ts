import cluster from "node:cluster";
import { syncBuiltinESMExports } from "node:module";
import { OutriggerError } from "../errors.ts";

/** Refuses `cluster.fork()`: an app that makes processes of its own would make them in every worker. */
export function refuseCluster(): void {
  cluster.fork = () => {
    throw new OutriggerError(
      "ERR_APP",
      "Cannot fork with node:cluster: this is a worker of Outrigger already, and --workers says how many there are; " +
        "expected a module that serves without cluster",
    );
  };
  syncBuiltinESMExports();
}
