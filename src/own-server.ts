import type { Server } from "node:net";

const OWN = new WeakSet<Server>();

/** Notes that a server is one of ours, which really listens whatever is done to those of an app; returns it. */
export function ownServer<S extends Server>(server: S): S {
  OWN.add(server);
  return server;
}

/** Whether a server was noted by `ownServer`. */
export function isOwnServer(server: Server): boolean {
  return OWN.has(server);
}
