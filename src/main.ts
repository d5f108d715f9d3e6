#!/usr/bin/env node
import { leavePidOne } from "./cli/init.ts";
import { refuseUnsuitableNode } from "./cli/node-version.ts";

const exitCode = refuseUnsuitableNode(process.stderr) ?? (await start());
// Not by letting the loop run dry: an app in this very process (--workers 0) may keep it busy for ever.
process.exit(exitCode);

async function start(): Promise<number> {
  leavePidOne();
  const { run } = await import("./cli/run.ts");
  return await run();
}
