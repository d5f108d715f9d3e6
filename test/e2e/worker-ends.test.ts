import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { serveCode } from "../helpers/app-file.ts";
import { eventually } from "../helpers/deadline.ts";
import { everReady, timesLogged } from "../helpers/log-count.ts";
import { scrape } from "../helpers/metrics.ts";
import { serveApp } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 30_000;
const RESTARTS = "outrigger_worker_restarts_total";

const APP = `
  const kept = [];
  /** Four megabytes at a time, so that reports come in between. */
  function leak() {
    for (let count = 0; count < 500; count += 1) kept.push(new Array(1_000).fill(count));
    setTimeout(leak, 60);
  }
  export default (req, res) => {
    if (req.url === "/leak") return leak();
    if (req.url === "/abort") process.abort();
    res.end(String(process.pid));
  };
`;

describe("a worker that ends", () => {
  it("because its heap is full is told of as such", async (t) => {
    const service = await serveCode(t, APP, { env: { NODE_OPTIONS: "--max-old-space-size=256" } });
    service.request({ path: "/leak", deadlineMs: DEADLINE_MS }).catch(() => {});
    const exit = await service.program.line("worker exited", DEADLINE_MS);
    assert.equal(exit["reason"], "out_of_memory", JSON.stringify(exit));
    assert.match(String(exit["detail"]), /^its heap limit was reached: \d+ MiB of \d+ MiB of heap/);
    await everReady(service.program, 2);
    assert.equal(await service.sum(RESTARTS, { reason: "out_of_memory" }), 1);
    assert.equal(await service.sum(RESTARTS), 1);
  });

  it("by an abort of its own is not taken for one whose heap is full", async (t) => {
    const service = await serveCode(t, APP);
    await service.metrics();
    service.request({ path: "/abort" }).catch(() => {});
    const exit = await service.program.line("worker exited");
    assert.deepEqual([exit["signal"], exit["reason"]], ["SIGABRT", "crash"]);
    assert.match(String(exit["detail"]), /^it aborted: \d+ MiB of \d+ MiB of heap were in use/);
  });

  it("by a SIGKILL of somebody else is told of as such", async (t) => {
    const service = await serveCode(t, APP);
    const [pid = 0] = service.program.workerPids();
    process.kill(pid, "SIGKILL");
    const exit = await service.program.line("worker exited");
    assert.deepEqual([exit["pid"], exit["reason"]], [pid, "killed"]);
    assert.match(String(exit["detail"]), /SIGKILL|the kernel killed it/);
    await everReady(service.program, 2);
    assert.equal(await service.sum(RESTARTS, { reason: "killed" }), 1);
  });
});

describe("a crash loop", () => {
  it("shows in the metrics and in /readyz?verbose, with the other worker serving", async (t) => {
    const file = join(await tempDir(t), "die");
    const service = await serveApp(t, "short-lived.mjs", {
      args: ["--workers", "2"],
      env: { DIE_FILE: file },
    });
    await everReady(service.program, 2);
    await writeFile(file, "");
    const [pid = 0] = service.program.workerPids();
    process.kill(pid, "SIGKILL");
    await eventually(
      DEADLINE_MS,
      async () => {
        const metrics = await scrape(service.opsPort);
        return metrics.value("outrigger_workers", { state: "backoff" }) === 1 || undefined;
      },
      "a worker that waits",
    );
    const text = await eventually(
      DEADLINE_MS,
      async () => {
        const answer = await service.ops("/readyz?verbose");
        assert.equal(answer.status, 200);
        return answer.text().includes("crash loop") ? answer.text() : undefined;
      },
      "/readyz to tell of the crash loop",
    );
    assert.match(
      text,
      /^\[\+\]workers ok: worker \d is in a crash loop \(ended \d+ times in a row, /m,
    );
    assert.equal((await service.request({ path: "/" })).status, 200);
    assert.ok(timesLogged(service.program, "worker exited") >= 2);
  });
});
