import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answering, serveCode } from "../helpers/app-file.ts";
import { eventually } from "../helpers/deadline.ts";
import { assertNothingLost, startLoadedPod } from "../helpers/loaded-pod.ts";
import { errorLines, everReady, logged, timesLogged } from "../helpers/log-count.ts";
import { needs } from "../helpers/needs.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";

const DEADLINE_MS = 15_000;
const RESTARTS = "outrigger_worker_restarts_total";

/** Resolves when every worker that was to be recycled has been, for this reason and no other. */
async function assertRecycled(service: Serving, reason: string): Promise<void> {
  const { program } = service;
  await eventually(
    DEADLINE_MS,
    async () => {
      const begun = timesLogged(program, "recycling worker");
      return (await service.sum(RESTARTS, { reason })) === begun || undefined;
    },
    "as many replaced as were to be",
  );
  const metrics = await service.metrics();
  assert.equal(metrics.sum(RESTARTS), metrics.sum(RESTARTS, { reason }));
  assert.deepEqual(errorLines(program), []);
}

describe("--max-requests", () => {
  it("costs no request and miscounts none, however often", needs("nginx"), async (t) => {
    const pod = await startLoadedPod(t, { workers: 2, args: ["--max-requests", "200"] });
    const { program } = pod.service;
    await logged(program, "recycling worker", 12);
    await assertNothingLost(pod);
    await assertRecycled(pod.service, "max_requests");
    const pids = await everReady(program, 12);
    assert.equal(new Set(pids).size, pids.length);
  });

  it("lets a worker answer as many and a tenth more at most", async (t) => {
    const service = await serveApp(t, "hello.mjs", { args: ["--max-requests", "20"] });
    const pids: string[] = [];
    while (pids.length < 100) pids.push((await service.request({ path: "/pid" })).text());
    const [first] = pids;
    const answered = pids.filter((pid) => pid === first).length;
    assert.ok(answered >= 20, `${answered} requests`);
    await assertRecycled(service, "max_requests");
  });

  it("leaves the worker serving when its successor cannot start", async (t) => {
    const service = await serveCode(t, answering("old"), { args: ["--max-requests", "5"] });
    const { program } = service;
    const pids = program.workerPids();
    await service.rewrite("throw new Error('the new one is broken');\n");
    for (let times = 0; times < 6; times += 1) await service.request({ path: "/" });
    const { error, reason } = await program.line("recycling failed");
    assert.match(JSON.stringify(error), /the new one is broken/);
    assert.equal(reason, "max_requests");
    for (let times = 0; times < 50; times += 1)
      assert.equal((await service.request({ path: "/" })).text(), "old");
    assert.equal(await service.sum(RESTARTS), 0);
    assert.equal(errorLines(program).length, 1, "it is not tried at every report");
    assert.deepEqual(program.workerPids(), pids);
    assert.equal((await service.ops("/readyz")).status, 200);
  });
});

describe("--max-lifetime", () => {
  it("replaces workers of that age, and always answers", async (t) => {
    const service = await serveApp(t, "hello.mjs", {
      args: ["--workers", "2", "--max-lifetime", "1s"],
    });
    const { program } = service;
    const recycled = logged(program, "recycling worker", 5);
    let isOver = false;
    void recycled.finally(() => (isOver = true)).catch(() => {});
    let requests = 0;
    for (; !isOver; requests += 1) await service.request({ path: "/" });
    await recycled;
    assert.equal(await service.sum("http_server_request_duration_seconds_count"), requests);
    const metrics = await service.metrics();
    // A replacement counts once it is done, and each of the two slots may be in the middle of one.
    assert.ok(metrics.sum(RESTARTS) >= 3);
    assert.equal(metrics.sum(RESTARTS), metrics.sum(RESTARTS, { reason: "max_lifetime" }));
    for (const { time, worker } of program.lines.filter(({ msg }) => msg === "recycling worker")) {
      const ready = program.lines.filter(
        (line) => line.msg === "worker ready" && line["worker"] === worker && Number(line["time"]) < Number(time),
      ); // prettier-ignore
      const ageMs = Number(time) - Number(ready.at(-1)?.["time"]);
      assert.ok(ageMs >= 999, `recycled at ${ageMs} ms`);
    }
    assert.deepEqual(errorLines(program), []);
  });
});

describe("--max-rss", () => {
  const GROWING = `
    const kept = [];
    export default (req, res) => {
      if (req.url === "/grow") kept.push(Buffer.alloc(64 * 2 ** 20, 1));
      res.end(String(process.pid));
    };
  `;

  it("replaces a worker that stays above it, and leaves its successor alone", async (t) => {
    const service = await serveCode(t, GROWING, { args: ["--max-rss", "256Mi"] });
    const { program } = service;
    const before = (await service.request({ path: "/" })).text();
    for (let times = 0; times < 4; times += 1) await service.request({ path: "/grow" });
    const { reason } = await program.line("recycling worker");
    assert.equal(reason, "max_rss");
    await logged(program, "worker exited", 1);
    const after = (await service.request({ path: "/" })).text();
    assert.notEqual(after, before);
    await assertRecycled(service, "max_rss");
    assert.equal(await service.sum(RESTARTS), 1);
  });
});
