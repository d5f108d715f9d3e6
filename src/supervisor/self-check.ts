import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { http } from "../node-http.ts";
import { errnoOf, OutriggerError } from "../errors.ts";
import type { ConnectTarget, EndToEndCheck, Wanted } from "../listener/listener.ts";

/** A request target that nobody else can know, so that the app never misses a request of its own. */
export function createCheckTarget(): string {
  return `/.outrigger-check/${randomBytes(16).toString("hex")}`;
}

/** How long to wait for room in an accept queue that is full. */
const RETRY_MS = 50;

/** Sends one real request through a socket and wants it answered by a worker of ours. */
export function createEndToEndCheck(checkTarget: string, usual: Wanted = "served"): EndToEndCheck {
  return async (target, signal, wanted = usual) => {
    try {
      const status = await askPatiently({ target, checkTarget, signal });
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

interface Question {
  readonly target: ConnectTarget;
  readonly checkTarget: string;
  readonly signal: AbortSignal;
}

/** Asks again while the queue of a Unix socket is full: the workers are about to empty it. */
async function askPatiently(question: Question): Promise<number | undefined> {
  for (;;) {
    try {
      return await ask(question);
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") throw error;
      await delay(RETRY_MS, undefined, { signal: question.signal });
    }
  }
}

/** Resolves to the status. */
async function ask({ target, checkTarget, signal }: Question): Promise<number | undefined> {
  const address = "path" in target ? { socketPath: target.path } : target;
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const request = http.get({ ...address, path: checkTarget, agent: false, signal }, (response) => {
    response.resume().once("end", () => resolve(response.statusCode));
  });
  request.once("error", reject);
  // An answer that breaks off is no error of the request's.
  request.once("close", () => reject(new Error("the answer broke off")));
  return await promise;
}
