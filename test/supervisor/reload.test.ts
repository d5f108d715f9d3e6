import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { reloadConfig } from "../../src/supervisor/reload.ts";
import { WORKER_START } from "../helpers/fake-workers.ts";

const { config: CURRENT } = WORKER_START;

describe("reloadConfig", () => {
  const fresh: Partial<Config>[] = [
    { app: "./other.js" },
    { log: { ...CURRENT.log, accessLog: "off" } },
    { http: { keepAliveTimeoutMs: 1, headersTimeoutMs: 2, requestTimeoutMs: 3 } },
    { webSocket: { pingIntervalMs: 1, closeCode: "off" } },
    { drain: { delayMs: 1, untilGone: "/run/nginx.pid", gracePeriodMs: 2 } },
    { recycle: { maxRequests: 1, maxLifetimeMs: 2, maxRssBytes: 3 } },
    { workerTimeoutMs: 5_000 },
    { appServer: { kind: "port", port: 3000 } },
    { waitReady: true },
    { startTimeoutMs: 1_000 },
    { trustedProxies: ["10.0.0.0/8"] },
  ];
  for (const changes of fresh) {
    it(`takes over ${Object.keys(changes).join()}`, () => {
      const next = { ...CURRENT, ...changes };
      assert.deepEqual(reloadConfig(CURRENT, next), { config: next, needRestart: [] });
    });
  }

  const fixed: Partial<Config>[] = [
    { endpoints: [] },
    { takeover: true },
    { ops: undefined },
    { ops: { host: "127.0.0.1", port: 1 } },
    { probe: { host: "127.0.0.1", port: 1 } },
    { workers: 99 },
    { minReady: 99 },
    { balance: "off" },
  ];
  for (const changes of fixed) {
    const [name] = Object.keys(changes);
    it(`keeps ${name} and names it: ${JSON.stringify(changes)}`, () => {
      const { config, needRestart } = reloadConfig(CURRENT, { ...CURRENT, ...changes });
      assert.deepEqual(config, CURRENT);
      assert.deepEqual(needRestart, [name]);
    });
  }

  it("keeps the level of the log, which is that of the supervisor, and names it", () => {
    const next: Config = { ...CURRENT, log: { level: "trace", accessLog: "off" } };
    const { config, needRestart } = reloadConfig(CURRENT, next);
    assert.deepEqual(config.log, { ...next.log, level: CURRENT.log.level });
    assert.deepEqual(needRestart, ["logLevel"]);
  });

  it("decides about every setting", () => {
    const decided = [...fresh, ...fixed].flatMap(Object.keys);
    assert.deepEqual(new Set(decided), new Set(Object.keys(CURRENT)));
  });

  it("takes over the rest where some cannot be", () => {
    const next: Config = { ...CURRENT, workers: 7, app: "./next.js", balance: "off" };
    const { config, needRestart } = reloadConfig(CURRENT, next);
    assert.deepEqual(config, { ...CURRENT, app: "./next.js" });
    assert.deepEqual(needRestart, ["workers", "balance"]);
  });

  it("names nothing when the same was read again", () => {
    const again = structuredClone(CURRENT);
    assert.deepEqual(reloadConfig(CURRENT, again), { config: CURRENT, needRestart: [] });
  });
});
