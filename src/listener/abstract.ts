import type { AbstractEndpoint } from "../config/config.ts";
import { errnoOf } from "../errors.ts";
import { bindPath } from "./bind.ts";
import { refuse } from "./refuse.ts";
import { FilelessListener } from "./fileless.ts";

/** Binds a Linux abstract socket; rejects with `ERR_LISTEN` when another process has the name. */
export async function claimAbstract(
  endpoint: AbstractEndpoint,
): Promise<FilelessListener<AbstractEndpoint>> {
  const address = `@${endpoint.abstractName}`;
  const path = `\0${endpoint.abstractName}`;
  try {
    const socket = bindPath(path);
    return new FilelessListener({
      endpoint,
      socket,
      address,
      connectTarget: { path },
      kernelName: address,
    });
  } catch (error) {
    const code = errnoOf(error) ?? "unknown error";
    const reason =
      code === "EADDRINUSE"
        ? "a live process has that abstract name; stop that one first, or choose another name"
        : `bind failed with ${code}`;
    throw refuse(address, reason, error);
  }
}
