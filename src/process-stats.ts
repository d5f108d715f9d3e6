import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { ProcessStats } from "./snapshot.ts";

const LAG_RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

/** Watches this process; each reading covers the event loop since the one before. */
export class ProcessMonitor {
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  readonly #startTimeSeconds = Date.now() / 1_000 - process.uptime();
  readonly #heapLimitBytes = getHeapStatistics().heap_size_limit;

  #memory: NodeJS.MemoryUsage = {
    rss: 0,
    heapTotal: 0,
    heapUsed: 0,
    external: 0,
    arrayBuffers: 0,
  };

  constructor() {
    this.#lag.enable();
  }

  /** Never throws: what cannot be read is what it was before. */
  read(): ProcessStats {
    const cpu = process.cpuUsage();
    const memory = this.#readMemory();
    const stats = {
      pid: process.pid,
      startTimeSeconds: this.#startTimeSeconds,
      cpuUserSeconds: cpu.user / 1e6,
      cpuSystemSeconds: cpu.system / 1e6,
      residentBytes: memory.rss,
      heapTotalBytes: memory.heapTotal,
      heapUsedBytes: memory.heapUsed,
      heapLimitBytes: this.#heapLimitBytes,
      externalBytes: memory.external,
      eventLoopLagSeconds: this.#readLag(),
    };
    this.#lag.reset();
    return stats;
  }

  stop(): void {
    this.#lag.disable();
  }

  #readMemory(): NodeJS.MemoryUsage {
    try {
      this.#memory = process.memoryUsage();
    } catch {
      // It opens a file under /proc, and there may be no descriptor left.
    }
    return this.#memory;
  }

  #readLag(): ProcessStats["eventLoopLagSeconds"] {
    if (this.#lag.count === 0) return { min: 0, mean: 0, max: 0, p50: 0, p99: 0 };
    return {
      min: this.#lag.min / NANOSECONDS,
      mean: this.#lag.mean / NANOSECONDS,
      max: this.#lag.max / NANOSECONDS,
      p50: this.#lag.percentile(50) / NANOSECONDS,
      p99: this.#lag.percentile(99) / NANOSECONDS,
    };
  }
}
