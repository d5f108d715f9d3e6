import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../src/config/config.ts";
import type { FlagValues } from "../../src/config/layers.ts";
import { resolveConfig } from "../../src/config/resolve.ts";
import { formatFlags } from "../../src/print/flags.ts";
import { printNginx } from "../../src/print/nginx.ts";
import { printSocketUnits } from "../../src/print/systemd-socket.ts";
import { printSystemd } from "../../src/print/systemd.ts";

function configOf(flags: FlagValues): Config {
  return resolveConfig({
    app: "./app.js",
    flags,
    env: {},
    cwd: "/srv",
    cpuCount: 4,
    readFile: () => "{}",
  });
}

const PLAIN = configOf({});

describe("formatFlags", () => {
  const cases: [FlagValues, string[]][] = [
    [{ socket: "/run/a.sock" }, ["--socket=/run/a.sock"]],
    [{ socket: "/run/a.sock", "socket-mode": "0666", "socket-group": "www" }, ["--socket=/run/a.sock", "--socket-mode=0666", "--socket-group=www"]],
    [{ socket: "/run/a.sock", backlog: "9" }, ["--socket=/run/a.sock", "--backlog=9"]],
    [{ listen: ["/run/a.sock?name=x&mode=0600", ":80"] }, ["--listen=/run/a.sock?mode=0600&name=x", "--listen=[::]:80"]],
    [{ listen: "/run/a.sock?request-timeout=9s" }, ["--listen=/run/a.sock?request-timeout=9s"]],
    [{ listen: "/run/a.sock?max-streams=9" }, ["--socket=/run/a.sock", "--max-streams=9"]],
    [{ listen: "/run/a.sock?owner=1" }, ["--listen=/run/a.sock?owner=1"]],
    [{ listen: "@a?backlog=1&max-connections=2" }, ["--listen=@a?backlog=1&max-connections=2"]],
    [{ listen: ["systemd:web?name=web", "fd:3?backlog=9"] }, ["--listen=systemd:web?name=web", "--listen=fd:3?backlog=9"]],
    [{ socket: "/run/a.sock", takeover: "" }, ["--socket=/run/a.sock", "--takeover"]],
    [{ workers: "auto" }, ["--listen=127.0.0.1:8000"]],
    [{ "trusted-proxies": "10.0.0.0/8,::1", "grace-period": "60s" }, ["--listen=127.0.0.1:8000", "--trusted-proxies=10.0.0.0/8,::1", "--grace-period=1m"]],
  ]; // prettier-ignore
  for (const [given, flags] of cases) {
    it(`writes ${flags.join(" ")}, which mean the same again`, () => {
      const config = configOf(given);
      assert.deepEqual(formatFlags(config, PLAIN), flags);
      const again: Record<string, string[]> = {};
      for (const flag of flags) {
        const [, name = "", value = ""] = /^--([^=]+)=?(.*)$/.exec(flag) ?? [];
        (again[name] ??= []).push(value);
      }
      assert.deepEqual(configOf(again), config);
    });
  }
});

describe("printNginx", () => {
  const cases: [string, string][] = [["75s", "55s"], ["1s", "733ms"], ["0", "1m"], ["10m", "440s"]]; // prettier-ignore
  for (const [ours, nginx] of cases) {
    it(`lets nginx close after ${nginx} where we do after ${ours}`, () => {
      const text = printNginx(configOf({ "keep-alive-timeout": ours }));
      assert.match(text, new RegExp(`keepalive_timeout ${nginx}; `));
    });
  }

  it("goes by the timeout of the endpoint where it has its own", () => {
    const text = printNginx(configOf({ listen: ["@x", "/run/a.sock?keep-alive-timeout=15s"] }));
    assert.match(text, /keepalive_timeout 11s; /);
  });
});

describe("printNginx with TLS", () => {
  const tls = "tls-cert=/a&tls-key=/b";

  it("rather passes on to an endpoint without it", () => {
    const listen = [`/run/tls.sock?${tls}`, "127.0.0.1:8080"];
    assert.match(printNginx(configOf({ listen })), /server 127\.0\.0\.1:8080;[^]*proxy_pass http:/);
  });

  it("passes on by https where there is no other", () => {
    const text = printNginx(configOf({ listen: [`/run/tls.sock?${tls}`] }));
    assert.match(text, /server unix:\/run\/tls\.sock;[^]*proxy_pass https:\/\/outrigger;/);
  });
});

describe("printSystemd", () => {
  it("quotes what systemd would take apart", () => {
    const config = configOf({ socket: "/run/a b/50%.sock" });
    const text = printSystemd({ ...config, app: "./my $app.js" }, PLAIN, { cwd: "/srv/x" });
    assert.match(text, /ExecStart=\S+ "\.\/my \$\$app\.js" "--socket=\/run\/a b\/50%%\.sock" /);
    assert.match(text, /^RuntimeDirectory="a b"$/m);
  });

  it("leaves a directory alone that is not below /run, but lets us write there", () => {
    const text = printSystemd(configOf({ socket: "/srv/a.sock" }), PLAIN, { cwd: "/srv" });
    assert.doesNotMatch(text, /RuntimeDirectory/);
    assert.match(text, /^ReadWritePaths=\/srv$/m);
    assert.match(text, /^PrivateTmp=yes$/m);
  });

  it("hides neither a socket in /tmp nor an app in a home", () => {
    const text = printSystemd(configOf({ socket: "/tmp/a.sock" }), PLAIN, { cwd: "/home/me/app" });
    assert.doesNotMatch(text, /PrivateTmp/);
    assert.match(text, /^ProtectHome=read-only$/m);
  });

  it("leaves the one capability that a low port takes, and none otherwise", () => {
    const low = printSystemd(configOf({ listen: ":80" }), PLAIN, { cwd: "/srv" });
    assert.match(
      low,
      /^AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE$/m,
    );
    const high = printSystemd(configOf({ listen: ":8080" }), PLAIN, { cwd: "/srv" });
    assert.match(high, /^CapabilityBoundingSet=$/m);
  });

  it("wants the socket units whose sockets it is handed", () => {
    const config = configOf({ listen: ["systemd:web", "systemd:tcp.socket", "fd:9"] });
    const text = printSystemd(config, PLAIN, { cwd: "/srv" });
    assert.match(text, /^Requires=web\.socket tcp\.socket\nAfter=web\.socket tcp\.socket$/m);
    const sockets = printSocketUnits(config);
    assert.match(
      sockets,
      /^# \S+\/web\.socket$[^#]+#[^#]+^ListenStream=\/run\/web\.sock\nFileDescriptorName=web$/m,
    );
    assert.match(sockets, /^# \S+\/tcp\.socket$[^#]+#[^#]+^ListenStream=\/run\/tcp\.sock\n#/m);
  });
});
