import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Snapshot } from "../../src/snapshot.ts";
import { checkNames, judge, type Probe, type Verdict } from "../../src/ops/health.ts";
import { endpointFixture, snapshotFixture, workerFixture } from "../helpers/snapshot.ts";

function failures(verdict: Verdict): Record<string, string> {
  return Object.fromEntries(
    verdict.checks.flatMap((check) =>
      check.outcome === "failed" ? [[check.name, check.reason]] : [],
    ),
  );
}

const CASES: {
  what: string;
  probe: Probe;
  snapshot: Partial<Snapshot>;
  failed: Record<string, string>;
}[] = [
  { what: "passes while ready", probe: "livez", snapshot: {}, failed: {} },
  {
    what: "passes while starting",
    probe: "livez",
    snapshot: { phase: "starting", workers: [] },
    failed: {},
  },
  {
    what: "passes while draining",
    probe: "livez",
    snapshot: { phase: "draining", workers: [] },
    failed: {},
  },
  {
    what: "fails when replacing workers has failed for too long",
    probe: "livez",
    snapshot: { isStuck: true, workers: [] },
    failed: { workers: "replacing workers has failed for too long, 0 of 2 are ready" },
  },
  {
    what: "fails before the endpoints are published",
    probe: "startupz",
    snapshot: { hasStarted: false, phase: "starting" },
    failed: { endpoints: "no endpoint has been published yet" },
  },
  {
    what: "passes for ever after",
    probe: "startupz",
    snapshot: { phase: "draining", workers: [], endpoints: [endpointFixture({ up: false })] },
    failed: {},
  },
  { what: "passes when all is well", probe: "readyz", snapshot: {}, failed: {} },
  {
    what: "fails while starting",
    probe: "readyz",
    snapshot: { phase: "starting" },
    failed: { phase: "phase is starting" },
  },
  {
    what: "fails while draining",
    probe: "readyz",
    snapshot: { phase: "draining" },
    failed: { phase: "phase is draining" },
  },
  {
    what: "fails when a worker that was ready has not answered for ten seconds",
    probe: "readyz",
    snapshot: { minReady: 1, workers: [workerFixture({ silentForMs: 10_000 })] },
    failed: { workers: "0 workers are ready, 1 needed, 1 more do not answer" },
  },
  {
    what: "fails when it has not answered for as long as the worker timeout, if that is shorter",
    probe: "readyz",
    snapshot: { silentAfterMs: 3_000, workers: [workerFixture({ silentForMs: 3_000 })] },
    failed: { workers: "0 workers are ready, 1 needed, 1 more do not answer" },
  },
  {
    what: "names workers in a crash loop when too few are left",
    probe: "readyz",
    snapshot: { workers: [], backoffs: [{ slot: 1, failures: 7, retryInMs: 2_100 }] },
    failed: {
      workers:
        "0 workers are ready, 1 needed, worker 1 is in a crash loop (ended 7 times in a row, tried again in 3 s)",
      app: "0 workers have a healthy app, 1 needed",
    },
  },
  {
    what: "fails with too few ready workers",
    probe: "readyz",
    snapshot: {
      minReady: 2,
      workers: [workerFixture(), workerFixture({ slot: 1, state: "starting" })],
    },
    failed: {
      workers: "1 workers are ready, 2 needed",
      app: "1 workers have a healthy app, 2 needed",
    },
  },
  {
    what: "fails when the app says it is not well",
    probe: "readyz",
    snapshot: { workers: [workerFixture({ health: { healthy: false, message: "no database" } })] },
    failed: { app: "0 workers have a healthy app, 1 needed: no database" },
  },
  {
    what: "passes while enough apps are well",
    probe: "readyz",
    snapshot: {
      workers: [
        workerFixture({ health: { healthy: false } }),
        workerFixture({ slot: 1, health: { healthy: true } }),
      ],
    },
    failed: {},
  },
  {
    what: "names the endpoint that is down",
    probe: "readyz",
    snapshot: {
      endpoints: [
        endpointFixture(),
        endpointFixture({ name: "b", address: "@b", up: false, problem: "file is gone" }),
      ],
    },
    failed: { endpoints: "b (@b): file is gone" },
  },
];

describe("judge", () => {
  for (const { what, probe, snapshot, failed } of CASES) {
    it(`${probe} ${what}`, () => {
      const verdict = judge(probe, snapshotFixture(snapshot));
      assert.deepEqual(failures(verdict), failed);
      assert.equal(verdict.passed, Object.keys(failed).length === 0);
      assert.deepEqual(
        verdict.checks.map((check) => check.name),
        checkNames(probe),
      );
    });
  }

  it("gives healthz the verdict of readyz", () => {
    const draining = snapshotFixture({ phase: "draining" });
    assert.deepEqual(judge("healthz", draining).checks, judge("readyz", draining).checks);
  });

  it("does not count what is excluded, and names what it does not have", () => {
    const verdict = judge("readyz", snapshotFixture({ phase: "draining" }), {
      excluded: ["phase", "nope"],
    });
    assert.equal(verdict.passed, true);
    assert.deepEqual(verdict.checks[0], { name: "phase", outcome: "excluded" });
    assert.deepEqual(verdict.unknownExclusions, ["nope"]);
  });

  it("looks at one check alone", () => {
    const verdict = judge("readyz", snapshotFixture({ phase: "draining" }), { only: "workers" });
    assert.deepEqual(verdict.checks, [{ name: "workers", outcome: "ok" }]);
    assert.equal(verdict.passed, true);
  });
});
