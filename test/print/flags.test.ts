import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../src/config/config.ts";
import type { FlagValues } from "../../src/config/layers.ts";
import { resolveConfig } from "../../src/config/resolve.ts";
import { formatFlags } from "../../src/print/flags.ts";
import { printNginx } from "../../src/print/nginx.ts";
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
    [{ listen: "/run/a.sock?owner=1" }, ["--listen=/run/a.sock?owner=1"]],
    [{ listen: "@a?backlog=1&max-connections=2" }, ["--listen=@a?backlog=1&max-connections=2"]],
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
});

describe("printSystemd", () => {
  it("quotes what systemd would take apart", () => {
    const config = configOf({ socket: "/run/a b/50%.sock" });
    const text = printSystemd({ ...config, app: "./my $app.js" }, PLAIN, { cwd: "/srv/x" });
    assert.match(text, /ExecStart=\S+ "\.\/my \$\$app\.js" "--socket=\/run\/a b\/50%%\.sock" /);
    assert.match(text, /^RuntimeDirectory="a b"$/m);
  });

  it("leaves a directory alone that is not below /run", () => {
    const text = printSystemd(configOf({ socket: "/srv/a.sock" }), PLAIN, { cwd: "/srv" });
    assert.doesNotMatch(text, /RuntimeDirectory/);
  });
});
