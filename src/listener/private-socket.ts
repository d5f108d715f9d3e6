import { chmod, chown, rm } from "node:fs/promises";
import type { BoundSocket } from "node:net";
import type { UnixEndpoint } from "../config/config.ts";
import { errnoOf, OutriggerError } from "../errors.ts";
import { bindPath } from "./bind.ts";
import { chooseFreePrivatePath } from "./private-files.ts";
import { refuse } from "./refuse.ts";
import { identityOf, statPath, type FileIdentity } from "./file-identity.ts";
import { lookUpGroup, lookUpOwner } from "./ownership.ts";

/** A socket that is bound under its private name, complete but for the public one. */
export interface PrivateSocket {
  readonly socket: BoundSocket;
  readonly path: string;
  readonly identity: FileIdentity;
}

/** Binds an endpoint under a private name beside its path and gives it mode, owner and group; call with the lock held. */
export async function bindPrivately(endpoint: UnixEndpoint): Promise<PrivateSocket> {
  const { socket, path } = await bindFreeName(endpoint.path);
  try {
    await setOwnership(endpoint, path);
    await chmod(path, endpoint.mode);
    const stats = await statPath(path);
    if (stats === undefined)
      throw refuse(endpoint.path, "somebody removed the socket while it was being prepared");
    return { socket, path, identity: identityOf(stats) };
  } catch (error) {
    socket.close();
    await rm(path, { force: true });
    throw error;
  }
}

async function bindFreeName(publicPath: string): Promise<{ socket: BoundSocket; path: string }> {
  const path = await chooseFreePrivatePath(publicPath);
  try {
    return { socket: bindPath(path), path };
  } catch (error) {
    const code = errnoOf(error);
    const reason =
      code === "EACCES"
        ? "no permission to create files in its directory"
        : `bind failed with ${code}`;
    throw refuse(
      publicPath,
      `${reason}; make the directory writable for uid ${process.getuid?.()}`,
      error,
    );
  }
}

async function setOwnership(endpoint: UnixEndpoint, path: string): Promise<void> {
  if (endpoint.owner === undefined && endpoint.group === undefined) return;
  const uid = endpoint.owner === undefined ? -1 : await lookUpOwner(endpoint.owner);
  const gid = endpoint.group === undefined ? -1 : await lookUpGroup(endpoint.group);
  try {
    await chown(path, uid, gid);
  } catch (error) {
    if (error instanceof OutriggerError) throw error;
    const wanted = [
      endpoint.owner && `owner ${endpoint.owner}`,
      endpoint.group && `group ${endpoint.group}`,
    ];
    throw refuse(
      endpoint.path,
      `cannot give the socket ${wanted.filter(Boolean).join(" and ")} (${errnoOf(error)}); ` +
        "choose a group this process belongs to, or set fsGroup on the pod",
      error,
    );
  }
}
