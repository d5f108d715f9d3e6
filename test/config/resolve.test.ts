import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULTS, type Config } from "../../src/config/config.ts";
import { formatConfig } from "../../src/config/format.ts";
import { resolveConfig, type ConfigInput } from "../../src/config/resolve.ts";

const DEFAULT_CONFIG: Config = {
  app: "./app.js",
  endpoints: [
    {
      kind: "tcp",
      host: "127.0.0.1",
      port: 8000,
      backlog: 4096,
      maxConnections: 0,
      limits: DEFAULTS.limits,
      proxyProtocol: "off",
      name: "app",
    },
  ],
  appServer: { kind: "first" },
  waitReady: false,
  startTimeoutMs: 60_000,
  takeover: false,
  ops: { host: "127.0.0.1", port: 9464 },
  probe: undefined,
  workers: 4,
  minReady: 1,
  balance: "load",
  recycle: { maxRequests: 0, maxLifetimeMs: 0, maxRssBytes: 0 },
  workerTimeoutMs: 30_000,
  http: { keepAliveTimeoutMs: 75_000, headersTimeoutMs: 60_000, requestTimeoutMs: 300_000 },
  webSocket: { closeCode: 1012, pingIntervalMs: 20_000 },
  drain: { delayMs: 0, untilGone: undefined, gracePeriodMs: 30_000 },
  log: { level: "info", accessLog: "json" },
  trustedProxies: ["unix"],
};

interface Given {
  readonly app?: string | undefined;
  readonly flags?: ConfigInput["flags"];
  readonly env?: ConfigInput["env"];
  /** Content of `o.json`, which is then named by `--config`. */
  readonly file?: object | string;
}

function resolveGiven({ app = "./app.js", flags = {}, env = {}, file }: Given): Config {
  return resolveConfig({
    app: app === "" ? undefined : app,
    flags: file === undefined ? flags : { config: "o.json", ...flags },
    env,
    cwd: "/srv",
    cpuCount: 4,
    readFile(path) {
      assert.equal(path, "/srv/o.json");
      return typeof file === "string" ? file : JSON.stringify(file);
    },
  });
}

describe("resolveConfig", () => {
  it("falls back to the defaults", () => assert.deepEqual(resolveGiven({}), DEFAULT_CONFIG));

  it("can be cloned across the process boundary", () => {
    assert.deepEqual(structuredClone(resolveGiven({})), DEFAULT_CONFIG);
  });

  const layers: [string, Given, number][] = [
    [
      "a flag over the rest",
      { flags: { workers: "1" }, env: { OUTRIGGER_WORKERS: "2" }, file: { workers: 3 } },
      1,
    ],
    ["a variable over the file", { env: { OUTRIGGER_WORKERS: "2" }, file: { workers: 3 } }, 2],
    ["the file over the default", { file: { workers: 3 } }, 3],
    ["the default over an empty variable", { env: { OUTRIGGER_WORKERS: "" } }, 4],
    ["the last of a repeated flag", { flags: { workers: ["1", "2"] } }, 2],
    ["auto over a number further down", { flags: { workers: "auto" }, file: { workers: 3 } }, 4],
    [
      "a file named by a variable",
      { env: { OUTRIGGER_CONFIG: "/srv/o.json" }, file: { workers: 3 } },
      3,
    ],
    ["zero", { flags: { workers: "0" } }, 0],
  ];
  for (const [what, given, workers] of layers) {
    it(`prefers ${what}`, () => assert.equal(resolveGiven(given).workers, workers));
  }

  it("reads every option from flags", () => {
    const limits = {
      headerBytes: 2 ** 10,
      headerCount: 2,
      requestLineBytes: 3 * 2 ** 10,
      bodyBytes: 2 ** 22,
      streams: 5,
    };
    const config = resolveGiven({
      flags: {
        listen: ["/run/a.sock?backlog=1", ":80"], ops: ":0", probe: "[::1]:81", backlog: "9", "max-connections": "8",
        "max-header-size": "1Ki", "max-headers": "2", "max-request-line": "3Ki", "max-body-size": "4Mi", "max-streams": "5", workers: "3", "min-ready": "2",
        "keep-alive-timeout": "1s", "headers-timeout": "2s", "request-timeout": "3s", "drain-delay": "4s",
        "drain-until-gone": "run/nginx.pid", "grace-period": "5s", "access-log": "combined", "log-level": "debug",
        "trusted-proxies": ["10.0.0.0/8,::1"], "max-requests": "6", balance: "off", "max-lifetime": "7s", "max-rss": "8Mi",
        "worker-timeout": "9s", takeover: "", "app-server": "3000", "wait-ready": "", "start-timeout": "10s",
        "websocket-close-code": "1001", "websocket-ping-interval": "10s",
      },
    }); // prettier-ignore
    assert.deepEqual(config, {
      app: "./app.js",
      endpoints: [
        {
          kind: "unix", path: "/run/a.sock", mode: 0o660, group: undefined, owner: undefined,
          backlog: 1, maxConnections: 8, limits, proxyProtocol: "off", name: "/run/a.sock",
        },
        { kind: "tcp", host: "::", port: 80, backlog: 9, maxConnections: 8, limits, proxyProtocol: "off", name: "[::]:80" },
      ],
      appServer: { kind: "port", port: 3000 },
      waitReady: true,
      startTimeoutMs: 10_000,
      takeover: true,
      ops: { host: "::", port: 0 },
      probe: { host: "::1", port: 81 },
      workers: 3,
      minReady: 2,
      balance: "off",
      recycle: { maxRequests: 6, maxLifetimeMs: 7000, maxRssBytes: 8 * 2 ** 20 },
      workerTimeoutMs: 9000,
      http: { keepAliveTimeoutMs: 1000, headersTimeoutMs: 2000, requestTimeoutMs: 3000 },
      webSocket: { closeCode: 1001, pingIntervalMs: 10_000 },
      drain: { delayMs: 4000, untilGone: "/srv/run/nginx.pid", gracePeriodMs: 5000 },
      log: { level: "debug", accessLog: "combined" },
      trustedProxies: ["10.0.0.0/8", "::1"],
    }); // prettier-ignore
  });

  const equivalents: [string, Given, Given][] = [
    ["a switch that is on", { env: { OUTRIGGER_TAKEOVER: "1" } }, { file: { takeover: true } }],
    ["a switch that is off", { env: { OUTRIGGER_TAKEOVER: "false" } }, { env: { OUTRIGGER_TAKEOVER: "0" }, file: { takeover: true } }],
    ["a switch of the command line", { flags: { takeover: "" }, file: { takeover: false } }, { env: { OUTRIGGER_TAKEOVER: "true" } }],
    ["the app", { app: "", env: { OUTRIGGER_APP: "./b.js" } }, { app: "", file: { app: "./b.js" } }],
    ["endpoints", { env: { OUTRIGGER_LISTEN: "/a.sock, :80\n@x" } }, { file: { listen: ["/a.sock", ":80", "@x"] } }],
    ["one endpoint", { flags: { listen: "/a,b.sock" } }, { file: { listen: "/a,b.sock" } }],
    [
      "the short form",
      { env: { OUTRIGGER_SOCKET: "a.sock", OUTRIGGER_SOCKET_MODE: "600", OUTRIGGER_SOCKET_GROUP: "www" } },
      { flags: { listen: "./a.sock?mode=0600&group=www" } },
    ],
    ["the short form in a file", { file: { socket: "a.sock", "socket-mode": "0600" } }, { flags: { listen: "./a.sock?mode=0600" } }],
    ["a mode from another layer", { flags: { "socket-mode": "600" }, file: { socket: "/a.sock" } }, { flags: { listen: "/a.sock?mode=600" } }],
    ["endpoints over a socket further down", { flags: { listen: ":1" }, file: { socket: "/a.sock", "socket-mode": "600" } }, { flags: { listen: ":1" } }],
    ["a socket over endpoints further down", { flags: { socket: "/a.sock" }, file: { listen: ":1" } }, { flags: { listen: "/a.sock" } }],
    ["the variable of platforms", { env: { WEB_CONCURRENCY: "3" } }, { flags: { workers: "3" } }],
    ["our variable over that of platforms", { env: { WEB_CONCURRENCY: "3", OUTRIGGER_WORKERS: "2" } }, { flags: { workers: "2" } }],
    ["durations", { env: { OUTRIGGER_GRACE_PERIOD: "1m" } }, { file: { "grace-period": "60s" } }],
    ["nobody", { flags: { "trusted-proxies": "none" } }, { file: { "trusted-proxies": ["none"] } }],
    ["peers", { env: { OUTRIGGER_TRUSTED_PROXIES: "unix 10.0.0.1" } }, { file: { "trusted-proxies": "unix,10.0.0.1" } }],
    ["numbers as text", { file: { backlog: "5" } }, { file: { backlog: 5 } }],
  ]; // prettier-ignore
  for (const [what, left, right] of equivalents) {
    it(`reads ${what} alike from different places`, () =>
      assert.deepEqual(resolveGiven(left), resolveGiven(right)));
  }

  it("switches ops off", () =>
    assert.equal(resolveGiven({ flags: { ops: "off" } }).ops, undefined));

  it("lets the default of the headers timeout follow a shorter request timeout", () => {
    assert.equal(
      resolveGiven({ flags: { "request-timeout": "10s" } }).http.headersTimeoutMs,
      10_000,
    );
    assert.equal(resolveGiven({ flags: { "request-timeout": "0" } }).http.headersTimeoutMs, 60_000);
  });

  it("leaves the timeouts of an endpoint to it, and gives it the program's where it says nothing", () => {
    const listen = ["/a.sock?keep-alive-timeout=5s&request-timeout=0", "/b.sock"];
    const { endpoints, http } = resolveGiven({ flags: { listen, "headers-timeout": "3s" } });
    assert.deepEqual(
      endpoints.map(({ timeouts }) => timeouts),
      [{ keepAliveTimeoutMs: 5_000, requestTimeoutMs: 0 }, undefined],
    );
    assert.equal(http.headersTimeoutMs, 3_000);
  });

  it("overlooks the variables Kubernetes sets for a Service called outrigger", () => {
    const env = {
      OUTRIGGER_SERVICE_HOST: "10.0.0.1", OUTRIGGER_SERVICE_PORT: "80", OUTRIGGER_SERVICE_PORT_HTTP: "80",
      OUTRIGGER_PORT: "tcp://10.0.0.1:80", OUTRIGGER_PORT_80_TCP: "tcp://10.0.0.1:80", OUTRIGGER_PORT_80_TCP_ADDR: "10.0.0.1",
      OUTRIGGER_OPS_SERVICE_HOST: "10.0.0.2", PATH: "/bin",
    }; // prettier-ignore
    assert.deepEqual(resolveGiven({ env }), DEFAULT_CONFIG);
  });

  const refused: [Given, string, RegExp][] = [
    [{ app: "" }, "ERR_USAGE", /^Cannot start without an app: expected outrigger \.\/app\.js$/],
    [{ env: { OUTRIGGER_GRACE_PERIOD: "abc" } }, "ERR_CONFIG", /^Cannot use OUTRIGGER_GRACE_PERIOD="abc": expected a duration such as 30s/],
    [{ flags: { "grace-period": "30" } }, "ERR_CONFIG", /^Cannot use --grace-period "30": .*did you mean 30s$/],
    [{ file: { "grace-period": "x" } }, "ERR_CONFIG", /^Cannot use "grace-period": "x" in o\.json: expected a duration/],
    [{ file: { "grace-period": 30 } }, "ERR_CONFIG", /^Cannot use "grace-period": 30 in o\.json: expected a string such as "30s"$/],
    [{ file: { "socket-mode": 432, socket: "/a" } }, "ERR_CONFIG", /"socket-mode": 432 in o\.json: expected a string such as "0660"/],
    [{ file: { workers: true } }, "ERR_CONFIG", /"workers": true in o\.json: expected a number/],
    [{ file: { workers: 1.5 } }, "ERR_CONFIG", /"workers": "1\.5" in o\.json: expected auto or a whole number/],
    [{ file: { workers: null } }, "ERR_CONFIG", /"workers": null/],
    [{ file: { listen: [] } }, "ERR_CONFIG", /"listen": \[\] in o\.json: expected a string or a list of strings/],
    [{ file: { listen: [80] } }, "ERR_CONFIG", /"listen": \[80\] in o\.json/],
    [{ file: { "grace-time": "1s" } }, "ERR_CONFIG", /^Unknown config key "grace-time" in o\.json: did you mean "grace-period"$/],
    [{ file: { config: "x" } }, "ERR_CONFIG", /^Unknown config key "config" in o\.json/],
    [{ file: "[]" }, "ERR_CONFIG", /^Cannot parse o\.json: expected a JSON object$/],
    [{ file: "" }, "ERR_CONFIG", /^Cannot parse o\.json at line 1, column 1: this is not JSON$/],
    [{ file: '{\n  "workers": 2,\n  "ops": off\n}' }, "ERR_CONFIG", /at line 3, column 10: this is not JSON$/],
    [{ file: '{"workers": 2,}' }, "ERR_CONFIG", /at line 1, column 15: this is not JSON$/],
    [{ file: '{\n"app": "x"\n' }, "ERR_CONFIG", /at line 3, column 1: this is not JSON$/],
    [{ env: { OUTRIGGER_GRACE_PEROID: "1s" } }, "ERR_CONFIG", /^Unknown environment variable "OUTRIGGER_GRACE_PEROID": did you mean "OUTRIGGER_GRACE_PERIOD"$/],
    [{ env: { OUTRIGGER_PORT: "8080" } }, "ERR_CONFIG", /^Unknown environment variable "OUTRIGGER_PORT"/],
    [{ flags: { listen: "8080" } }, "ERR_ENDPOINT", /^Cannot use --listen "8080": .*did you mean ":8080"$/],
    [{ env: { OUTRIGGER_LISTEN: ":80,:81,:80" } }, "ERR_ENDPOINT", /^Cannot use OUTRIGGER_LISTEN="\[::\]:80": this endpoint is given twice$/],
    [{ flags: { listen: "fd:1" } }, "ERR_ENDPOINT", /^Cannot use --listen "fd:1": expected the number of a descriptor above 2, such as fd:3$/],
    [{ flags: { listen: ["fd:3", "fd:03"] } }, "ERR_ENDPOINT", /^Cannot use --listen "fd:3": this endpoint is given twice$/],
    [{ flags: { listen: ["/a.sock", "systemd:web"], takeover: "" } }, "ERR_USAGE", /^Cannot use --takeover together with systemd:web: whoever hands that socket over keeps it/],
    [{ flags: { socket: "/a.sock", listen: ":80" } }, "ERR_USAGE", /^Cannot use --socket "\/a\.sock" together with --listen ":80": the one is short for the other$/],
    [{ env: { OUTRIGGER_SOCKET: "/a", OUTRIGGER_LISTEN: ":80" } }, "ERR_USAGE", /^Cannot use OUTRIGGER_SOCKET="\/a" together with OUTRIGGER_LISTEN=":80"/],
    [{ flags: { workers: "1" }, file: { socket: "/a", listen: ":80" } }, "ERR_USAGE", /in o\.json together with "listen"/],
    [{ flags: { "socket-mode": "600" } }, "ERR_USAGE", /^Cannot use --socket-mode "600": it belongs to --socket, and no socket is given/],
    [{ flags: { "socket-group": "a", listen: ":1" }, file: { socket: "/a" } }, "ERR_USAGE", /^Cannot use --socket-group "a"/],
    [{ flags: { listen: ":1" }, env: { OUTRIGGER_SOCKET_MODE: "600" } }, "ERR_USAGE", /^Cannot use OUTRIGGER_SOCKET_MODE="600"/],
    [{ flags: { socket: "/a", "socket-mode": "888" } }, "ERR_CONFIG", /^Cannot use --socket-mode "888": expected an octal mode/],
    [{ flags: { socket: "unix:/a" } }, "ERR_ENDPOINT", /^Cannot use --socket "unix:\/a": expected a path alone: did you mean --listen unix:\/a$/],
    [{ flags: { socket: "@a" } }, "ERR_ENDPOINT", /did you mean --listen @a$/],
    [{ flags: { socket: ":80" } }, "ERR_ENDPOINT", /did you mean --listen :80$/],
    [{ flags: { socket: "/a?mode=0660" } }, "ERR_ENDPOINT", /"\/a\?mode=0660": options do not belong here, and in --listen "\?" of a path is %3F/],
    [{ flags: { socket: "/run/" } }, "ERR_ENDPOINT", /^Cannot use --socket "\/run\/": this names a folder/],
    [{ flags: { ops: "9464" } }, "ERR_ENDPOINT", /^Cannot use --ops "9464": .*did you mean ":9464"$/],
    [{ flags: { probe: "9465" } }, "ERR_ENDPOINT", /^Cannot use --probe "9465": .*did you mean ":9465"$/],
    [{ flags: { probe: "127.0.0.1:9464" } }, "ERR_ENDPOINT", /^Cannot use --probe "127\.0\.0\.1:9464": the ops endpoint is there/],
    [{ flags: { listen: ":80", probe: ":80" } }, "ERR_ENDPOINT", /^Cannot use --probe "\[::\]:80": an app endpoint listens there already$/],
    [{ flags: { ops: "/run/ops.sock" } }, "ERR_ENDPOINT", /expected HOST:PORT or off$/],
    [{ flags: { listen: ":80", ops: "[::]:80" } }, "ERR_ENDPOINT", /^Cannot use --ops "\[::\]:80": an app endpoint listens there already$/],
    [{ flags: { listen: "127.0.0.1:9464" } }, "ERR_ENDPOINT", /^Cannot use endpoint "127\.0\.0\.1:9464": probes and metrics are served there unless --ops says otherwise$/],
    [{ flags: { workers: "many" } }, "ERR_CONFIG", /^Cannot use --workers "many": expected auto or a whole number/],
    [{ flags: { workers: "1025" } }, "ERR_CONFIG", /expected at most 1024$/],
    [{ flags: { backlog: "0" } }, "ERR_CONFIG", /^Cannot use --backlog "0": expected a whole number, 1 or more$/],
    [{ flags: { "max-connections": "1e3" } }, "ERR_CONFIG", /expected a whole number, 0 or more$/],
    [{ flags: { "min-ready": "3", workers: "2" } }, "ERR_CONFIG", /^Cannot use --min-ready "3": there are 2 workers$/],
    [{ flags: { "min-ready": "2", workers: "0" } }, "ERR_CONFIG", /^Cannot use --min-ready "2": there is 1 worker$/],
    [{ flags: { "min-ready": "0" } }, "ERR_CONFIG", /1 or more$/],
    [{ env: { OUTRIGGER_DRAIN_DELAY: "30s" } }, "ERR_CONFIG", /^Cannot use OUTRIGGER_DRAIN_DELAY="30s": expected less than the grace period of 30s$/],
    [{ flags: { "headers-timeout": "6m" } }, "ERR_CONFIG", /^Cannot use --headers-timeout "6m": expected at most the request timeout of 5m$/],
    [{ flags: { listen: "/a.sock?headers-timeout=6m" } }, "ERR_ENDPOINT", /^Cannot use "\/a\.sock": headers-timeout "6m" is refused, expected at most the request timeout of 5m$/],
    [{ flags: { listen: "/a.sock?headers-timeout=9s", "request-timeout": "8s" } }, "ERR_ENDPOINT", /at most the request timeout of 8s$/],
    [{ flags: { "max-streams": "0" } }, "ERR_CONFIG", /^Cannot use --max-streams "0": expected a whole number, 1 or more$/],
    [{ flags: { "access-log": "xml" } }, "ERR_CONFIG", /expected one of json, combined, off$/],
    [{ flags: { "log-level": "INFO" } }, "ERR_CONFIG", /expected one of fatal, error/],
    [{ flags: { "trusted-proxies": "10.0.0.0/33" } }, "ERR_CONFIG", /^Cannot use --trusted-proxies "10\.0\.0\.0\/33": .*and "10\.0\.0\.0\/33" is none$/],
    [{ flags: { "trusted-proxies": "unix,nginx" } }, "ERR_CONFIG", /and "nginx" is none$/],
    [{ flags: { "trusted-proxies": "unix,none" } }, "ERR_CONFIG", /"none" stands alone$/],
    [{ flags: { "trusted-proxies": "a/8" } }, "ERR_CONFIG", /is none$/],
    [{ flags: { "trusted-proxies": "" } }, "ERR_CONFIG", /is none$/],
    [{ env: { WEB_CONCURRENCY: "many" } }, "ERR_CONFIG", /^Cannot use WEB_CONCURRENCY="many": expected auto or a whole number/],
    [{ flags: { "max-rss": "512MB" } }, "ERR_CONFIG", /^Cannot use --max-rss "512MB": expected a size such as 512Mi or 2Gi$/],
    [{ flags: { "worker-timeout": "9s", workers: "0" } }, "ERR_CONFIG", /^Cannot use --worker-timeout "9s": with --workers 0 there is no worker to replace$/],
    [{ flags: { "worker-timeout": "1s" } }, "ERR_CONFIG", /^Cannot use --worker-timeout "1s": expected 0, or at least 2s: workers report once a second$/],
    [{ flags: { "max-requests": "9", workers: "0" } }, "ERR_CONFIG", /^Cannot use --max-requests "9": with --workers 0 there is no worker to replace$/],
    [{ env: { OUTRIGGER_TAKEOVER: "perhaps" } }, "ERR_CONFIG", /^Cannot use OUTRIGGER_TAKEOVER="perhaps": expected true or false$/],
    [{ file: { takeover: "true" } }, "ERR_CONFIG", /^Cannot use "takeover": "true" in o\.json: expected true or false$/],
    [{ file: { takeover: 1 } }, "ERR_CONFIG", /expected true or false$/],
    [{ file: { workers: true } }, "ERR_CONFIG", /expected a number/],
    [{ flags: { "drain-until-gone": "" } }, "ERR_CONFIG", /^Cannot use --drain-until-gone "": expected a value$/],
  ]; // prettier-ignore
  for (const [given, code, message] of refused) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      assert.throws(() => resolveGiven(given), { name: "OutriggerError", code, message });
    });
  }

  it("names a config file that cannot be read, and the reason", () => {
    const input = { app: "a", flags: { config: "no.json" }, env: {}, cwd: "/", cpuCount: 1 };
    const failures: [Error, RegExp][] = [
      [
        Object.assign(new Error("x"), { code: "ENOENT" }),
        /^Cannot read --config "no\.json": there is no such file$/,
      ],
      [Object.assign(new Error("x"), { code: "EISDIR" }), /it is a folder$/],
      [new Error("disk on fire"), /disk on fire$/],
    ];
    for (const [failure, message] of failures) {
      const readFile = (): never => {
        throw failure;
      };
      assert.throws(() => resolveConfig({ ...input, readFile }), {
        code: "ERR_CONFIG",
        message,
        cause: failure,
      });
    }
  });
});

describe("formatConfig", () => {
  const inputs: Record<string, Given> = {
    "the defaults": {},
    "a socket": { flags: { socket: "./a.sock", "socket-mode": "640", "socket-group": "www", backlog: "7" } },
    "many endpoints": { flags: { listen: ["/a.sock", "@b", ":80?name=web&max-connections=2", "[::1]:80"] } },
    "limits and timeouts of endpoints": {
      flags: { listen: ["/a.sock?max-streams=9&headers-timeout=1s&request-timeout=2m", ":80?keep-alive-timeout=0"], "max-streams": "7" },
    },
    "what is switched off": { flags: { ops: "off", "trusted-proxies": "none", "access-log": "off", "request-timeout": "0" } },
    "WebSockets left to the app": { flags: { "websocket-close-code": "off", "websocket-ping-interval": "0" } },
    "a takeover": { flags: { takeover: "" } },
    "a drain file": { flags: { "drain-until-gone": "/run/nginx.pid", "drain-delay": "1500ms", workers: "0" } },
  }; // prettier-ignore
  for (const [what, given] of Object.entries(inputs)) {
    it(`writes ${what} as a config file that resolves to the same`, () => {
      const config = resolveGiven(given);
      assert.deepEqual(resolveGiven({ app: "", file: formatConfig(config) }), config);
    });
  }
});
