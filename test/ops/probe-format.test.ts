import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge } from "../../src/ops/health.ts";
import { formatHealthJson, formatText } from "../../src/ops/probe-format.ts";
import { endpointFixture, snapshotFixture, workerFixture } from "../helpers/snapshot.ts";

describe("formatText", () => {
  it("says ok and nothing else on success", () => {
    assert.equal(formatText(judge("readyz", snapshotFixture()), "brief"), "ok");
  });

  it("lists every check when asked to", () => {
    assert.equal(
      formatText(judge("readyz", snapshotFixture()), "verbose"),
      "[+]phase ok\n[+]workers ok\n[+]app ok\n[+]endpoints ok\nreadyz check passed\n",
    );
  });

  it("tells of a crash loop that costs nothing yet when asked to", () => {
    const backoffs = [{ slot: 1, failures: 7, retryInMs: 2_000 }];
    const verdict = judge("readyz", snapshotFixture({ backoffs }));
    assert.equal(formatText(verdict, "brief"), "ok");
    assert.match(
      formatText(verdict, "verbose"),
      /^\[\+\]workers ok: worker 1 is in a crash loop \(ended 7 times in a row, tried again in 2 s\)$/m,
    );
    const snapshot = snapshotFixture({ backoffs });
    assert.match(formatHealthJson(verdict, snapshot), /"status":"pass","output":"worker 1 is in/);
  });

  it("lists every check on failure, asked or not", () => {
    const verdict = judge("readyz", snapshotFixture({ phase: "draining" }), { excluded: ["app"] });
    assert.equal(
      formatText(verdict, "brief"),
      "[-]phase failed: phase is draining\n[+]workers ok\n[+]app excluded: ok\n[+]endpoints ok\nreadyz check failed\n",
    );
  });

  it("warns of exclusions that match nothing", () => {
    const verdict = judge("livez", snapshotFixture(), { excluded: ["etcd", 'a"b'] });
    assert.equal(
      formatText(verdict, "verbose"),
      "[+]supervisor ok\n[+]workers ok\n" +
        'warn: some health checks cannot be excluded: no matches for "etcd","a\\"b"\nlivez check passed\n',
    );
  });

  it("keeps what an app says on one line", () => {
    const workers = [workerFixture({ health: { healthy: false, message: "one\n[+]two ok" } })];
    const text = formatText(judge("readyz", snapshotFixture({ workers })), "brief");
    assert.match(text, /needed: one \[\+\]two ok\n/);
  });
});

describe("formatHealthJson", () => {
  it("passes with a component a check", () => {
    const snapshot = snapshotFixture();
    const body: unknown = JSON.parse(formatHealthJson(judge("startupz", snapshot), snapshot));
    assert.deepEqual(body, {
      status: "pass",
      version: "1",
      releaseId: "1.2.3",
      serviceId: "outrigger",
      description: "outrigger startupz",
      checks: {
        endpoints: [
          { componentType: "component", time: "2023-11-14T22:14:20.000Z", status: "pass" },
        ],
      },
    });
  });

  it("fails with the reasons, and notes what was excluded", () => {
    const snapshot = snapshotFixture({
      phase: "draining",
      endpoints: [endpointFixture({ up: false, problem: "gone" })],
    });
    const verdict = judge("readyz", snapshot, { excluded: ["app"] });
    const body: Record<string, unknown> = JSON.parse(formatHealthJson(verdict, snapshot));
    assert.equal(body["status"], "fail");
    assert.equal(body["output"], "phase: phase is draining; endpoints: app (/run/app.sock): gone");
    assert.deepEqual(body["notes"], ["app excluded"]);
  });
});
