import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULTS, type Endpoint } from "../../src/config/config.ts";
import { checkAll } from "../../src/check/check.ts";
import type { Facts, FileFacts, Occupant, SocketFacts } from "../../src/check/facts.ts";
import { checkCertificate } from "../../src/check/certificate.ts";
import { formatFinding } from "../../src/check/finding.ts";
import { checkGrace } from "../../src/check/grace.ts";
import { checkKeepAlive, checkKeepAlives } from "../../src/check/keep-alive.ts";
import { checkOpsReach } from "../../src/check/ops-reach.ts";
import { checkOccupant } from "../../src/check/occupant.ts";
import { checkAddress } from "../../src/check/path-length.ts";
import { checkQueue } from "../../src/check/queue.ts";
import { checkReach } from "../../src/check/reach.ts";
import { checkSharedMemory } from "../../src/check/shared-memory.ts";
import { checkUntilGone } from "../../src/check/until-gone.ts";
import { unixEndpoint } from "../helpers/endpoints.ts";
import { WORKER_START } from "../helpers/fake-workers.ts";

const ENDPOINT = unixEndpoint("/run/app/app.sock");
const NGINX = { uid: 101, groups: [101] };

function file(path: string, overrides: Partial<FileFacts> = {}): FileFacts {
  return { path, uid: 1000, gid: 2000, mode: 0o755, ...overrides };
}

interface Socket {
  readonly socket?: Partial<FileFacts>;
  readonly directory?: Partial<FileFacts>;
  readonly occupant?: Occupant;
  readonly isOursToGive?: boolean;
}

function socketFacts({ socket, directory, occupant, isOursToGive = true }: Socket): SocketFacts {
  return {
    endpoint: ENDPOINT,
    problem: undefined,
    directories: [file("/", { uid: 0, gid: 0 }), file("/run/app", directory)],
    file: file(ENDPOINT.path, { mode: 0o660, ...socket }),
    occupant: occupant ?? { kind: "free" },
    isOursToGive,
  };
}

function levels(findings: readonly { readonly level: string }[]): string[] {
  return findings.map(({ level }) => level);
}

describe("checkCertificate", () => {
  const DAY_MS = 86_400_000;
  const cases: [number, string, string][] = [
    [90.5 * DAY_MS, "ok", "its certificate is good for 90 days"],
    [6.9 * DAY_MS, "warn", "its certificate expires in 6 days"],
    [1.1 * DAY_MS, "warn", "its certificate expires in 1 day"],
    [-1, "warn", "its certificate has expired"],
  ];
  for (const [expiresInMs, level, text] of cases) {
    it(`says: ${text}`, () => {
      const finding = checkCertificate({ endpoint: "app", problem: undefined, expiresInMs });
      assert.partialDeepStrictEqual(finding, { level, about: "app", text });
    });
  }

  it("fails where the files cannot be served with", () => {
    const problem = "Cannot serve TLS on app";
    const finding = checkCertificate({ endpoint: "app", problem });
    assert.deepEqual(finding, { level: "fail", about: "app", text: problem });
  });
});

describe("checkReach", () => {
  const IN_GROUP = { uid: 101, groups: [101, 2000] };
  const cases: [string, Socket, Parameters<typeof checkReach>[1], "ok" | "fail"][] = [
    ["the group of the socket, which nginx is assumed to have", {}, undefined, "ok"],
    ["another group", {}, NGINX, "fail"],
    ["the group", {}, IN_GROUP, "ok"],
    ["a group without write", { socket: { mode: 0o640 } }, IN_GROUP, "fail"],
    ["everybody", { socket: { mode: 0o666 } }, NGINX, "ok"],
    ["everybody but the group", { socket: { mode: 0o606 } }, IN_GROUP, "fail"],
    ["the owner alone", { socket: { mode: 0o600, uid: 101 } }, NGINX, "ok"],
    ["an owner without write", { socket: { mode: 0o066, uid: 101 } }, IN_GROUP, "fail"],
    ["root, whatever the mode", { socket: { mode: 0 } }, { uid: 0, groups: [0] }, "ok"],
    ["a closed directory", { directory: { mode: 0o700 } }, IN_GROUP, "fail"],
    ["a directory of the group", { directory: { mode: 0o750 } }, IN_GROUP, "ok"],
    ["a group that is not ours to give", { isOursToGive: false }, undefined, "fail"],
  ];
  for (const [what, facts, nginx, level] of cases) {
    it(`says ${level} for ${what}`, () => {
      const findings = checkReach(socketFacts(facts), nginx);
      assert.deepEqual(levels(findings), [level]);
      assert.equal(findings[0]?.change === undefined, level === "ok");
    });
  }

  it("names the directory that is closed, and how to open it", () => {
    const [finding] = checkReach(socketFacts({ directory: { mode: 0o700 } }), NGINX);
    assert.match(
      finding?.text ?? "",
      /cannot enter \/run\/app \(mode 0700, owner 1000, group 2000\)$/,
    );
    assert.equal(finding?.change, "chmod o+x /run/app, or run nginx in group 2000");
  });

  it("says why a path could not be looked at", () => {
    const problem = "Cannot listen on /x/a.sock: directory /x does not exist";
    const facts: SocketFacts = { endpoint: ENDPOINT, problem };
    assert.deepEqual(checkReach(facts, NGINX), [{ level: "fail", about: "app", text: problem }]);
    assert.deepEqual(checkOccupant(facts), []);
  });
});

describe("checkOccupant", () => {
  const cases: [Occupant, string][] = [
    [{ kind: "free" }, "ok"],
    [{ kind: "stale" }, "ok"],
    [{ kind: "outrigger", pid: 7 }, "ok"],
    [{ kind: "outrigger", pid: undefined }, "ok"],
    [{ kind: "live", evidence: "a live process" }, "fail"],
    [{ kind: "other", what: "a directory" }, "fail"],
  ];
  for (const [occupant, level] of cases) {
    it(`says ${level} for ${JSON.stringify(occupant)}`, () =>
      assert.deepEqual(levels(checkOccupant(socketFacts({ occupant }))), [level]));
  }
});

describe("checkAddress", () => {
  it("counts the bytes of a path", () => {
    const fits = checkAddress(unixEndpoint(`/${"é".repeat(53)}`));
    assert.deepEqual(
      [levels(fits), fits[0]?.text],
      [["ok"], "the path is 107 bytes long, 107 are possible"],
    );
    assert.deepEqual(levels(checkAddress(unixEndpoint(`/${"a".repeat(107)}`))), ["fail"]);
  });

  it("warns of what nginx has no form for, and says nothing of TCP", () => {
    const common = {
      name: "app",
      backlog: 1,
      maxConnections: 0,
      limits: DEFAULTS.limits,
      proxyProtocol: "off",
    } as const;
    assert.deepEqual(levels(checkAddress({ kind: "abstract", abstractName: "a", ...common })), [
      "warn",
    ]);
    assert.deepEqual(checkAddress({ kind: "tcp", host: "::", port: 1, ...common }), []);
  });
});

describe("checkQueue", () => {
  const cases: [number | undefined, string][] = [[ENDPOINT.backlog, "ok"], [ENDPOINT.backlog - 1, "warn"], [undefined, "warn"]]; // prettier-ignore
  for (const [somaxconn, level] of cases) {
    it(`says ${level} for a somaxconn of ${somaxconn}`, () =>
      assert.deepEqual(levels(checkQueue(ENDPOINT, somaxconn)), [level]));
  }
});

describe("checkGrace", () => {
  const cases: [number, number, number, string[]][] = [
    [25_000, 0, 30_000, ["ok"]],
    [26_000, 0, 30_000, ["warn"]],
    [30_000, 0, 30_000, ["warn"]],
    [31_000, 0, 30_000, ["fail"]],
    [25_000, 20_000, 30_000, ["ok", "ok"]],
    [25_000, 21_000, 30_000, ["ok", "warn"]],
  ];
  for (const [gracePeriodMs, delayMs, podMs, expected] of cases) {
    it(`says ${expected.join(" and ")} for ${gracePeriodMs}, ${delayMs} of it delay, in ${podMs}`, () => {
      const drain = { gracePeriodMs, delayMs, untilGone: undefined };
      assert.deepEqual(levels(checkGrace(drain, podMs)), expected);
    });
  }

  it("does not advise a grace period that the delay would fill", () => {
    const drain = { gracePeriodMs: 31_000, delayMs: 26_000, untilGone: undefined };
    const [finding] = checkGrace(drain, 30_000);
    assert.equal(finding?.change, "set terminationGracePeriodSeconds to 36 at least");
  });
});

describe("checkKeepAlive", () => {
  const cases: [number, number, string][] = [[75_000, 60_000, "ok"], [65_000, 60_000, "ok"], [64_000, 60_000, "warn"], [60_000, 60_000, "fail"], [0, 60_000, "ok"]]; // prettier-ignore
  for (const [oursMs, nginxMs, level] of cases) {
    it(`says ${level} for ${oursMs} against ${nginxMs} of nginx`, () =>
      assert.deepEqual(levels(checkKeepAlive(oursMs, nginxMs)), [level]));
  }

  it("looks at endpoints with a timeout of their own, and at the others together", () => {
    const own = (name: string, keepAliveTimeoutMs: number): Endpoint => ({
      ...ENDPOINT,
      name,
      timeouts: { keepAliveTimeoutMs },
    });
    const { config } = WORKER_START;
    const endpoints = [ENDPOINT, own("short", 5_000), own("long", 90_000), own("endless", 0)];
    const told = checkKeepAlives({ ...config, endpoints }, 60_000);
    assert.deepEqual(
      told.map(({ level, about }) => `${level} ${about}`),
      ["ok keep-alive-timeout", "fail short", "ok long", "ok endless"],
    );
    assert.equal(
      told[1]?.change,
      "set ?keep-alive-timeout=75s, or a shorter keepalive_timeout in nginx",
    );
    assert.deepEqual(
      checkKeepAlives({ ...config, endpoints: [own("only", 75_000)] }, 60_000).map(
        ({ about, text }) => `${about}: ${text}`,
      ),
      ["only: its keep-alive-timeout of 75s is longer than the 1m of nginx"],
    );
  });
});

describe("checkSharedMemory", () => {
  it("warns where there is none, unless there are no workers to lose", () => {
    const { config } = WORKER_START;
    assert.deepEqual(levels(checkSharedMemory(config, true)), ["ok"]);
    assert.deepEqual(levels(checkSharedMemory(config, false)), ["warn"]);
    assert.deepEqual(checkSharedMemory({ ...config, workers: 0 }, false), []);
  });
});

describe("checkUntilGone", () => {
  for (const [state, level] of [
    ["there", "ok"],
    ["absent", "ok"],
    ["no directory", "fail"],
    ["hidden", "fail"],
  ] as const) {
    it(`says ${level} for a file that is: ${state}`, () =>
      assert.deepEqual(levels(checkUntilGone({ path: "/run/nginx/nginx.pid", state })), [level]));
  }

  it("says nothing where no file is waited for", () =>
    assert.deepEqual(checkUntilGone(undefined), []));
});

describe("checkOpsReach", () => {
  it("warns of loopback in a pod, and names the port to set", () => {
    for (const host of ["127.0.0.1", "::1", "localhost"]) {
      const [finding, ...more] = checkOpsReach("ops", { host, port: 9464 }, true);
      assert.deepEqual([finding?.level, finding?.change, more], ["warn", "set --ops :9464", []]);
    }
    assert.deepEqual(levels(checkOpsReach("ops", { host: "::", port: 9464 }, true)), ["ok"]);
  });

  it("says nothing elsewhere, or where there is none", () => {
    assert.deepEqual(checkOpsReach("ops", { host: "::1", port: 9464 }, false), []);
    assert.deepEqual(checkOpsReach("probe", undefined, true), []);
  });
});

describe("checkAll", () => {
  it("looks at every endpoint, then at what they share", () => {
    const facts: Facts = {
      config: {
        ...WORKER_START.config,
        endpoints: [ENDPOINT],
        ops: { host: "::", port: 9464 },
        probe: { host: "127.0.0.1", port: 9465 },
      },
      sockets: [socketFacts({})],
      certificates: [],
      nginx: undefined,
      nginxKeepAliveMs: 60_000,
      podGraceMs: 60_000,
      isInPod: true,
      untilGone: { path: "/run/nginx/nginx.pid", state: "there" },
      somaxconn: 4096,
      hasSharedMemory: true,
    };
    assert.deepEqual(
      checkAll(facts).map(({ level, about }) => `${level} ${about}`),
      [
        "ok app",
        "ok app",
        "ok app",
        "ok app",
        "ok grace-period",
        "ok drain-until-gone",
        "ok keep-alive-timeout",
        "ok ops",
        "warn probe",
        "ok /dev/shm",
      ],
    );
  });
});

describe("formatFinding", () => {
  it("writes one line, with what to change", () => {
    const finding = { level: "ok", about: "app", text: "fine" } as const;
    assert.equal(formatFinding(finding), "ok    app: fine");
    const change = "set --backlog 128";
    assert.equal(
      formatFinding({ ...finding, level: "warn", change }),
      "warn  app: fine; set --backlog 128",
    );
  });
});
