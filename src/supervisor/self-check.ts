import { randomBytes } from "node:crypto";
import http from "node:http";
import { errnoOf, OutriggerError } from "../errors.ts";
import type { EndToEndCheck } from "../listener/listener.ts";

/** A request target that nobody else can know, so that the app never misses a request of its own. */
export function createCheckTarget(): string {
  return `/.outrigger-check/${randomBytes(16).toString("hex")}`;
}

/** What the end-to-end check wants: that a worker serves, or only that one has accepted, be it to say 503. */
export type Wanted = "served" | "accepted";

/** Sends one real request through a socket and wants it answered by a worker of ours. */
export function createEndToEndCheck(checkTarget: string, wanted: Wanted = "served"): EndToEndCheck {
  return async (target, signal) => {
    const address = "path" in target ? { socketPath: target.path } : target;
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const request = http.get(
      { ...address, path: checkTarget, agent: false, signal },
      (response) => {
        response.resume().once("end", () => resolve(response.statusCode));
      },
    );
    request.once("error", reject);
    // An answer that breaks off is no error of the request's.
    request.once("close", () => reject(new Error("the answer broke off")));
    try {
      const status = await promise;
      if (wanted === "served" && status !== 200) throw new Error(`answered ${status}`);
    } catch (error) {
      const where = "path" in target ? target.path : `${target.host}:${target.port}`;
      throw new OutriggerError(
        "ERR_LISTEN",
        `Cannot reach our own worker through ${where.replace("\0", "@")}: ${errnoOf(error) ?? String(error)}`,
        { cause: error },
      );
    }
  };
}
