import { BoundSocket } from "node:net";

declare module "node:net" {
  interface BoundSocketOptions {
    /** Unix socket path, or an abstract name with a leading NUL. */
    path?: string | undefined;
  }
}

/** Binds a Unix path, or an abstract name with a leading NUL, without listening. */
export function bindPath(path: string): BoundSocket {
  return new BoundSocket({ path });
}

/** Binds a numeric TCP address without listening. */
export function bindTcp(host: string, port: number): BoundSocket {
  return new BoundSocket({ host, port });
}
