import { errnoOf } from "../errors.ts";
import { readFrames } from "./inspector-client.ts";
import { openInspector, type Inspectable } from "./inspector-port.ts";

/** What reading a stack may take in all; it takes a fifth of a second, but those that are blocked keep the processors busy. */
const LIMIT_MS = 3_000;

/** Where the loop of a process is held up, or why that is not known. */
export type BlockedStack =
  | { readonly kind: "frames"; readonly frames: readonly string[] }
  | { readonly kind: "unknown"; readonly reason: string };

/** Flags of a process under a debugger: a port of its own. */
export const DEBUGGED_FLAGS: readonly string[] = ["--inspect-port=127.0.0.1:0"];

/** Flags a process is started with, so that its stack can be read later, and nothing is said of it on standard error. */
export const INSPECTABLE_FLAGS: readonly string[] = process.features.inspector
  ? [...DEBUGGED_FLAGS, "--inspect-publish-uid=http"]
  : [];

/**
 * Reads the stack of a process whose loop does not turn, through its inspector, which is open for that
 * time on a port of loopback. Never rejects, and takes 3 s at most.
 */
export async function readBlockedStack(target: Inspectable): Promise<BlockedStack> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), LIMIT_MS);
  try {
    const port = await openInspector(target, limit.signal);
    return { kind: "frames", frames: await readFrames(port, limit.signal) };
  } catch (error) {
    return { kind: "unknown", reason: describe(error) };
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "AbortError") return "its inspector did not answer in time";
  return errnoOf(error) === "ENOENT" ? "it is gone" : error.message;
}
