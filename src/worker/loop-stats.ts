import { performance } from "node:perf_hooks";
import type { LoopStats } from "../protocol.ts";

/** What the event loop of this thread has done so far; both sources only ever grow. */
export function readLoopStats(): LoopStats {
  const { active, idle } = performance.eventLoopUtilization();
  const { loopCount, events } = performance.nodeTiming.uvMetricsInfo;
  return { activeMs: active, idleMs: idle, iterations: loopCount, events };
}
