/** Runs on any Node, so it may import nothing but what every Node has. */
import * as net from "node:net";
import { EXIT_CODES, type ExitCode } from "../errors.ts";

/** What tells a suitable Node from others. */
export interface NodeTraits {
  /** Such as `v24.19.0`. */
  readonly version: string;
  readonly net: object;
}

/** Says in one sentence why this Node cannot run us, with an exit code; undefined when it can. */
export function refuseUnsuitableNode(
  stderr: { write(text: string): unknown },
  node: NodeTraits = { version: process.version, net },
): ExitCode | undefined {
  if ("BoundSocket" in node.net) return undefined;
  stderr.write(
    `outrigger: needs Node.js 24.19 or newer of the 24 line, or 26.4 or newer; this is ${node.version}\n`,
  );
  return EXIT_CODES.startup;
}
