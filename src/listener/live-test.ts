import net from "node:net";
import { errnoOf } from "../errors.ts";

const CONNECT_TIMEOUT_MS = 1_000;

/**
 * Whether anybody is behind a socket file, and how we know. Only a refused connection proves that
 * nobody is: a full queue (EAGAIN) and a denied one (EACCES) have an owner that is alive.
 */
export type Liveness =
  | { readonly state: "dead" }
  | { readonly state: "gone" }
  | { readonly state: "alive"; readonly evidence: string };

const EVIDENCE: Readonly<Record<string, string>> = {
  EAGAIN: "a live process whose accept queue is full",
  EACCES: "a process of another user, whose socket refuses us",
  EPERM: "a process of another user, whose socket refuses us",
  EPROTOTYPE: "a process that uses it as a datagram socket",
  ETIMEDOUT: "a process that does not answer",
};

/** Connects once and hangs up at once. */
export async function testLiveness(path: string): Promise<Liveness> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = net.connect({ path }, () => resolve(undefined));
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => resolve("ETIMEDOUT"));
  socket.once("error", (error) => resolve(errnoOf(error) ?? error.message));
  try {
    const refusal = await promise;
    if (refusal === undefined)
      return { state: "alive", evidence: "a live process that accepts connections" };
    if (refusal === "ECONNREFUSED") return { state: "dead" };
    if (refusal === "ENOENT") return { state: "gone" };
    return { state: "alive", evidence: EVIDENCE[refusal] ?? `something that answers ${refusal}` };
  } finally {
    socket.destroy();
  }
}
