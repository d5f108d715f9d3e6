import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { within } from "../helpers/deadline.ts";
import { PROGRAM, startProgram } from "../helpers/program.ts";
import { onEnd } from "../helpers/scope.ts";
import { serveApp } from "../helpers/serving.ts";

const DEADLINE_MS = 20_000;
const CTRL_C = "\u0003";
const ESCAPE = "\u001B";

/** Options for a test that needs a terminal, which `script` gives to what it runs. */
function needsTerminal(): { readonly skip: string | false } {
  const { status } = spawnSync("script", ["--version"], { stdio: "ignore" });
  return { skip: status !== 0 && "not installed: script" };
}

describe("outrigger status --watch in a terminal", needsTerminal(), () => {
  it("redraws in place, within its width, and leaves the terminal as it was on Ctrl-C", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const watch = [process.execPath, PROGRAM, "status", "--watch", "--ops"].join(" ");
    const shell = [
      "trap : INT",
      "stty cols 60 rows 20; echo before=$(stty -g).",
      `${watch} 127.0.0.1:${service.opsPort}; echo code=$?.`,
      "echo after=$(stty -g).",
    ].join("\n");
    const script = spawn("script", ["--quiet", "--return", "--command", shell, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, SHELL: "/bin/sh" },
    });
    onEnd(t, () => script.kill("SIGKILL"));
    const closed = once(script, "close");
    let shown = "";
    let presses = 0;
    script.stdout.setEncoding("utf8").on("data", (text: string) => {
      shown += text;
      if (presses > 0 || shown.split("outrigger ").length <= 3) return;
      presses += 1;
      script.stdin.write(CTRL_C);
    });
    await within(DEADLINE_MS, closed, `the end of the watch after ${JSON.stringify(shown)}`);
    assert.match(shown, /\ncode=0\.\r\n/);
    const [, before, after] = /before=(\S+)\.[^]*after=(\S+)\./.exec(shown) ?? [];
    assert.ok(before !== undefined && before.length > 10);
    assert.equal(after, before);
    // Head, two tables of a row each and what is between: seven lines, gone over and cleared.
    const sequences = shown
      .split(ESCAPE)
      .slice(1)
      .map((rest) => /^\[\d*[A-Za-z]/.exec(rest)?.[0]);
    assert.deepEqual([...new Set(sequences)], ["[7F", "[J"]);
    const rows = shown.split(/\r?\n/).filter((line) => /^(?:app|ENDPOINT|WORKER| )/.test(line));
    assert.deepEqual(
      rows.filter((row) => row.length > 60),
      [],
    );
    assert.ok(rows.some((row) => row.length === 60 && row.endsWith("…")));
  });
});

describe("outrigger status --watch whose output nobody reads any more", () => {
  it("ends without a word", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const program = startProgram(t, {
      args: ["status", "--watch", "--ops", `127.0.0.1:${service.opsPort}`],
      // The last of a pipe decides its status; that of ours is on standard error.
      wrapper: ["sh", "-c", '{ "$@"; echo "code=$?." >&2; } | head -n 1', "sh"],
    });
    await program.exit();
    assert.match(program.stdout, /^outrigger .*\n$/);
    assert.equal(program.stderr, "code=0.\n");
  });
});

describe("outrigger status --watch --json", () => {
  it("prints a line of JSON each time", async (t) => {
    const service = await serveApp(t, "hello.mjs");
    const ops = `127.0.0.1:${service.opsPort}`;
    const watching = startProgram(t, { args: ["status", "--watch", "--json", "--ops", ops] });
    const { phase } = await watching.line(() => watching.lines.length === 2);
    assert.equal(phase, "ready");
    service.program.signal("SIGTERM");
    await service.program.exit();
    watching.signal("SIGTERM");
    assert.deepEqual(await watching.exit(), { code: 0, signal: null });
    const lines = watching.stdout.trimEnd().split("\n");
    for (const line of lines) assert.equal(typeof JSON.parse(line), "object");
  });
});
