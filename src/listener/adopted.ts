import { access, constants } from "node:fs/promises";
import type { BoundAddress, HandedEndpoint } from "../config/config.ts";
import { formatAddress } from "../config/endpoint.ts";
import { refuse } from "./refuse.ts";
import { DescriptorSocket } from "./descriptor-socket.ts";
import { FilelessListener } from "./fileless.ts";
import type { ConnectTarget } from "./listener.ts";
import { reachableHost } from "./tcp.ts";

/**
 * A socket that we were handed, listening. It is not ours: its file is neither made nor looked after
 * nor removed, and when we let go of it, whoever handed it over has it still, with its queue.
 */
export class AdoptedListener extends FilelessListener<HandedEndpoint> {
  /** Takes a socket that was found by `findHanded`. */
  static async adopt(endpoint: HandedEndpoint): Promise<AdoptedListener> {
    const { found } = endpoint;
    if (found === undefined) throw refuse(formatAddress(endpoint), "it was not looked for");
    const { descriptor, bound } = found;
    const address = formatAddress(bound);
    return new AdoptedListener({
      endpoint,
      socket: new DescriptorSocket(descriptor),
      address,
      connectTarget: await findConnectTarget(bound),
      kernelName: bound.kind === "tcp" ? undefined : address,
    });
  }
}

/** Undefined where the socket is for others: its file may be of another user, or out of our sight. */
async function findConnectTarget(bound: BoundAddress): Promise<ConnectTarget | undefined> {
  switch (bound.kind) {
    case "tcp":
      return { host: reachableHost(bound.host), port: bound.port };
    case "abstract":
      return { path: `\0${bound.abstractName}` };
    case "unix": {
      const isReachable = await access(bound.path, constants.W_OK).then(
        () => true,
        () => false,
      );
      return isReachable ? { path: bound.path } : undefined;
    }
  }
}
