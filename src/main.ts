#!/usr/bin/env node
import { refuseUnsuitableNode } from "./cli/node-version.ts";

process.exitCode = refuseUnsuitableNode(process.stderr) ?? (await start());

async function start(): Promise<number> {
  const { run } = await import("./cli/run.ts");
  return await run();
}
