import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Host } from "../../src/cli/host.ts";
import { run, type Serve } from "../../src/cli/run.ts";
import type { Config } from "../../src/config/config.ts";
import { flagOf } from "../../src/config/option-names.ts";
import { optionsOf } from "../../src/config/options.ts";
import { EXIT_CODES, OutriggerError, type ExitCode } from "../../src/errors.ts";

interface Outcome {
  readonly exitCode: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
  /** What was asked to be served. */
  readonly served: readonly Config[];
}

interface World {
  readonly env?: Host["env"];
  readonly files?: Record<string, string>;
  readonly serve?: Serve;
}

async function runProgram(
  argv: readonly string[],
  { env = {}, files = {}, serve }: World = {},
): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  const served: Config[] = [];
  const host: Host = {
    argv,
    env,
    cwd: "/srv",
    cpuCount: 2,
    stdout: {
      isTerminal: false,
      columns: undefined,
      rows: undefined,
      onUnread: () => () => {},
      write: (text) => void (written.stdout += text),
    },
    stderr: {
      isTerminal: false,
      columns: undefined,
      rows: undefined,
      onUnread: () => () => {},
      write: (text) => void (written.stderr += text),
    },
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("not there"), { code: "ENOENT" });
      return text;
    },
    takeVariable: () => undefined,
    onSignal: () => () => {},
  };
  const record: Serve = async ({ config }) => {
    served.push(config);
    return EXIT_CODES.ok;
  };
  const exitCode = await run(host, serve ?? record);
  return { exitCode, ...written, served };
}

describe("run", () => {
  const servings: Record<string, readonly string[]> = {
    "without a subcommand": ["./app.js", "--workers", "3", "--listen", ":80", "--listen", "@a"],
    "with the subcommand": [
      "serve",
      "./app.js",
      "--workers",
      "3",
      "--listen",
      ":80",
      "--listen",
      "@a",
    ],
    "with flags first": ["--listen", ":80", "--listen", "@a", "--workers", "3", "./app.js"],
    "with values after an equals sign": ["--listen=:80", "--listen=@a", "--workers=3", "./app.js"],
  };
  for (const [how, argv] of Object.entries(servings)) {
    it(`serves the app ${how}`, async () => {
      const { exitCode, stderr, served } = await runProgram(argv);
      assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
      const [config] = served;
      assert.equal(config?.app, "./app.js");
      assert.equal(config?.workers, 3);
      assert.deepEqual(
        config?.endpoints.map(({ name }) => name),
        ["[::]:80", "@a"],
      );
    });
  }

  it("takes the app from a variable or the config file", async () => {
    const fromVariable = await runProgram([], { env: { OUTRIGGER_APP: "./v.js" } });
    assert.equal(fromVariable.served[0]?.app, "./v.js");
    const files = { "/srv/o.json": '{"app": "./f.js"}' };
    const fromFile = await runProgram(["--config", "o.json"], { files });
    assert.equal(fromFile.served[0]?.app, "./f.js");
  });

  it("leaves with the exit code of what served", async () => {
    const outcome = await runProgram(["a.js"], { serve: async () => EXIT_CODES.forced });
    assert.equal(outcome.exitCode, EXIT_CODES.forced);
  });

  const refusals: [readonly string[], RegExp][] = [
    [["--lisen", ":80", "a.js"], /^outrigger: Unknown option "--lisen": did you mean --listen\n$/],
    [["--zzzzzz", "a.js"], /^outrigger: Unknown option "--zzzzzz"\n$/],
    [["a.js", "b.js"], /^outrigger: Too many arguments.*a\.js, b\.js\n$/],
    [["a.js", "--workers"], /^outrigger: Option "--workers <N\|auto>" argument missing\n$/],
    [
      ["a.js", "--workers", "x"],
      /^outrigger: Cannot use --workers "x": expected auto or a whole number, 0 or more\n$/,
    ],
    [
      ["a.js", "--listen", "tcp://:1"],
      /^outrigger: Cannot use --listen "tcp:\/\/:1": an endpoint is not a URL/,
    ],
    [
      ["a.js", "--config", "no.json"],
      /^outrigger: Cannot read --config "no\.json": there is no such file\n$/,
    ],
    [[], /^outrigger: Cannot start without an app: expected outrigger \.\/app\.js\n$/],
  ];
  for (const [argv, stderr] of refusals) {
    it(`refuses ${JSON.stringify(argv)} with one sentence`, async () => {
      const outcome = await runProgram(argv);
      assert.equal(outcome.exitCode, EXIT_CODES.usage);
      assert.match(outcome.stderr, stderr);
      assert.deepEqual(
        { stdout: outcome.stdout, served: outcome.served },
        { stdout: "", served: [] },
      );
    });
  }

  it("says what it foresaw in one line, with the exit code of the error", async () => {
    const serve: Serve = async () => {
      throw new OutriggerError("ERR_LISTEN", "Cannot listen on /run/a.sock: it is a folder");
    };
    const { exitCode, stderr } = await runProgram(["a.js"], { serve });
    assert.equal(exitCode, EXIT_CODES.startup);
    assert.equal(stderr, "outrigger: Cannot listen on /run/a.sock: it is a folder\n");
  });

  it("shows the stack of what nobody foresaw", async () => {
    const serve: Serve = async () => {
      throw new TypeError("x is not a function");
    };
    const { exitCode, stderr } = await runProgram(["a.js"], { serve });
    assert.equal(exitCode, EXIT_CODES.failure);
    assert.match(stderr, /^outrigger: TypeError: x is not a function\n +at /);
  });

  for (const argv of [["--help"], ["-h"], ["serve", "--help"], ["a.js", "--help"]]) {
    it(`prints the whole help for ${argv.join(" ")}`, async () => {
      const { exitCode, stdout, served } = await runProgram(argv);
      assert.equal(exitCode, EXIT_CODES.ok);
      assert.deepEqual(served, []);
      assert.match(stdout, /^Usage: outrigger \[serve\] \[options\] <app>\n/);
      for (const name of optionsOf("flag")) assert.ok(stdout.includes(`  ${flagOf(name)}`), name);
      const headings = [
        "Endpoints",
        "Workers",
        "HTTP",
        "Stopping",
        "Logs",
        "Configuration",
        "Subcommands, each with a --help of its own",
        "Exit codes",
      ];
      for (const heading of headings) assert.ok(stdout.includes(`\n${heading}:\n`), heading);
      assert.match(stdout, /\(default:\s+127\.0\.0\.1:9464\)/);
      for (const [name, code] of Object.entries(EXIT_CODES))
        assert.match(stdout, new RegExp(`^ +${code} ${name} `, "m"));
    });
  }

  for (const argv of [["--version"], ["-v"], ["serve", "-v"]]) {
    it(`prints the version for ${argv.join(" ")}`, async () => {
      const { exitCode, stdout } = await runProgram(argv);
      assert.equal(exitCode, EXIT_CODES.ok);
      assert.match(stdout, /^\d+\.\d+\.\d+\S*\n$/);
    });
  }

  it("prints a configuration that can be fed back, and serves nothing", async () => {
    const first = await runProgram([
      "./app.js",
      "--print-config",
      "--socket",
      "run/a.sock",
      "--workers",
      "auto",
    ]);
    assert.equal(first.exitCode, EXIT_CODES.ok);
    assert.deepEqual(first.served, []);
    const printed = JSON.parse(first.stdout);
    assert.equal(printed.workers, 2);
    assert.equal(printed["grace-period"], "30s");
    const files = { "/srv/o.json": first.stdout };
    const second = await runProgram(["--config", "o.json", "--print-config"], { files });
    assert.equal(second.stdout, first.stdout);
  });
});
