import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { LogLine } from "../helpers/log-lines.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { assertGone, exitTimeMs } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** Times are logged in whole milliseconds, and a timer may fire one early. */
const ROUNDING_MS = 3;

describe("an app that dies right after it is ready", () => {
  async function startDying(t: TestContext): Promise<Serving> {
    const file = join(await tempDir(t), "die");
    const service = await serveApp(t, "short-lived.mjs", { env: { DIE_FILE: file } });
    await writeFile(file, "");
    const { pid } = await service.program.line("worker ready");
    process.kill(Number(pid), "SIGKILL");
    return service;
  }

  function endsOf({ program }: Serving): LogLine[] {
    return program.lines.filter(({ msg }) => msg === "worker exited");
  }

  it("is tried again at growing intervals, and left alone in between", async (t) => {
    const service = await startDying(t);
    await service.program.line(() => endsOf(service).length >= 6);
    const ends = endsOf(service);
    const delays = ends.map((line) => Number(line["restartInMs"]));
    // At once, then 100 ms, doubled each time; jitter shortens that by a fifth at most.
    for (const [index, longest] of [0, 100, 200, 400, 800, 1_600].entries()) {
      const taken = delays[index] ?? Number.NaN;
      assert.ok(taken <= longest && taken >= longest * 0.8, `delay ${index} is ${taken} ms`);
    }
    for (const [index, { time }] of ends.slice(1).entries()) {
      const pauseMs = Number(time) - Number(ends[index]?.["time"]);
      const delayMs = delays[index] ?? Number.NaN;
      assert.ok(pauseMs >= delayMs - ROUNDING_MS, `${pauseMs} ms instead of ${delayMs}`);
    }
    assert.ok((await service.sum("outrigger_worker_restarts_total", { reason: "crash" })) >= 5);
    assert.equal((await service.ops("/livez")).status, 200);
    assert.equal((await service.ops("/startupz")).status, 200);
  });

  it("stops at once when it is told to, also between two attempts", async (t) => {
    const service = await startDying(t);
    await service.program.line(() => endsOf(service).length >= 5);
    service.program.signal("SIGTERM");
    // Two that are pending at once are one to the kernel.
    await service.program.line("stopping");
    service.program.signal("SIGTERM");
    const tookMs = await exitTimeMs(service.program);
    assert.ok(tookMs < 1_500, `took ${tookMs} ms`);
    await assertGone(service);
  });
});
