import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EXIT_CODES } from "../../src/errors.ts";
import { serveCode, type ServingFile } from "../helpers/app-file.ts";
import { eventually } from "../helpers/deadline.ts";
import { openRequest } from "../helpers/http.ts";
import { needs, needsPidNamespace } from "../helpers/needs.ts";
import { childrenOf, firstProcessOf, UNSHARE, unshareWithShell } from "../helpers/pid-namespace.ts";
import { startProgram } from "../helpers/program.ts";
import type { Scope } from "../helpers/scope.ts";
import { fixture } from "../helpers/serving.ts";
import { CUT, STOPPED } from "../helpers/stopping.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { findTool } from "../tools.ts";

const DEADLINE_MS = 15_000;
const WARNING = "running as PID 1 without an init: orphaned processes are not reaped";
/** Leaves a process behind that ends after a while: by way of a parent that has gone, or by dying itself. */
const LEAVING = `
  import { spawn } from "node:child_process";
  export default (req, res) => {
    if (req.url === "/hang") return;
    if (req.url === "/leave") {
      const parent = spawn("/bin/bash", ["-c", "sleep 0.5 & exit 0"], { stdio: "ignore" });
      parent.once("exit", () => res.end("left"));
    } else if (req.url === "/die") {
      spawn("sleep", ["0.5"], { stdio: "ignore" });
      process.kill(process.pid, "SIGKILL");
    } else if (req.url === "/env") {
      res.end(JSON.stringify([process.env.code, process.env.signal, process.env["a.b"]]));
    } else res.end(String(process.ppid));
  };
`;

interface Container extends ServingFile {
  /** Signals the first process in the namespace, as a container runtime does. */
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly first: number;
}

async function contain(t: Scope, wrapper: readonly string[] = UNSHARE): Promise<Container> {
  const service = await serveCode(t, LEAVING, { wrapper, args: ["--grace-period", "1s"] });
  const first = firstProcessOf(service.program);
  return { ...service, first, signal: (signal) => void process.kill(first, signal) };
}

/** Makes the app leave a process behind; resolves when that one was adopted, has ended and was reaped. */
async function leaveBehind({ first, request }: Container, path: string): Promise<void> {
  const before = childrenOf(first);
  void request({ path }).catch(() => {});
  const adopted = await eventually(
    DEADLINE_MS,
    () => childrenOf(first).find((pid) => !before.includes(pid)),
    "the orphan to be adopted",
  );
  await eventually(
    DEADLINE_MS,
    () => !childrenOf(first).includes(adopted) || undefined,
    "the orphan to be reaped",
  );
}

describe("the first process of a container", needsPidNamespace(), () => {
  const shells = {
    dash: unshareWithShell("/bin/dash"),
    bash: unshareWithShell("/bin/bash"),
    busybox: unshareWithShell(findTool("busybox") ?? "/nowhere"),
  } as const;
  for (const [shell, wrapper] of Object.entries(shells)) {
    const options = shell === "busybox" ? needs("busybox") : {};
    it(
      `reaps whoever is left behind, hands signals on and keeps the exit code: ${shell}`,
      options,
      async (t) => {
        const container = await contain(t, wrapper);
        await leaveBehind(container, "/leave");
        await leaveBehind(container, "/die");
        await eventually(
          DEADLINE_MS,
          async () => (await container.request({ path: "/" })).status === 200 || undefined,
          "the next worker",
        );
        const hanging = openRequest({ socketPath: container.socketPath, path: "/hang" });
        hanging.response.catch(() => {});
        hanging.request.end();
        await eventually(
          DEADLINE_MS,
          async () =>
            (await container.sum("outrigger_endpoint_requests_in_flight")) === 1 || undefined,
          "a request to cut",
        );
        container.signal("SIGTERM");
        assert.deepEqual(await container.program.exit(), CUT);
        assert.doesNotMatch(container.program.stdout, new RegExp(WARNING));
        assert.equal(container.program.stderr, "");
      },
    );
  }

  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    it(`drains on ${signal}`, async (t) => {
      const container = await contain(t);
      container.signal(signal);
      assert.equal((await container.program.line("stopping"))["signal"], signal);
      assert.deepEqual(await container.program.exit(), STOPPED);
    });
  }

  it("obeys the other signals as they come", async (t) => {
    const container = await contain(t);
    container.signal("SIGHUP");
    await container.program.line("reload done");
    container.signal("SIGTTIN");
    await container.program.line("grow done");
    container.signal("SIGTTOU");
    await container.program.line("shrink done");
    container.signal("SIGUSR2");
    await container.program.line("drain announced");
    container.signal("SIGUSR1");
    await eventually(
      DEADLINE_MS,
      () => container.program.stderr.includes("Debugger listening") || undefined,
      "the debugger, which is what Node does on USR1",
    );
    assert.equal((await container.request({ path: "/" })).status, 200);
  });

  for (const [what, args, code] of [
    ["a usage error", ["--no-such-flag"], EXIT_CODES.usage],
    [
      "a failed start",
      [fixture("failing-start.mjs"), "--listen", "127.0.0.1:0", "--ops", "off"],
      EXIT_CODES.startup,
    ],
    ["--version", ["--version"], EXIT_CODES.ok],
  ] as const) {
    it(`exits with ${code} after ${what}`, async (t) => {
      const program = startProgram(t, { args, wrapper: UNSHARE });
      assert.deepEqual(await program.exit(), { code, signal: null });
    });
  }

  it("hands the environment on as it is", async (t) => {
    const container = await contain(t, ["env", "code=c", "signal=s", ...UNSHARE]);
    assert.deepEqual(JSON.parse((await container.request({ path: "/env" })).text()), [
      "c",
      "s",
      null,
    ]);
    assert.doesNotMatch(container.program.stdout, new RegExp(WARNING));
  });

  it("stays what it is when a shell would drop variables", async (t) => {
    const container = await contain(t, ["env", "code=c", "a.b=d", ...UNSHARE]);
    assert.deepEqual(JSON.parse((await container.request({ path: "/env" })).text()), [
      "c",
      null,
      "d",
    ]);
    await container.program.line(WARNING);
  });

  it("stays what it is when the shell cannot be executed", async (t) => {
    const notForUs = join(await tempDir(t), "sh");
    await writeFile(notForUs, "\u007fELF not for this machine", { mode: 0o755 });
    const container = await contain(t, unshareWithShell(notForUs));
    await container.program.line(WARNING);
    container.signal("SIGTERM");
    assert.deepEqual(await container.program.exit(), STOPPED);
  });

  it("warns where there is no shell, and obeys signals itself", async (t) => {
    const container = await contain(t, unshareWithShell("/dev/null"));
    const { level } = await container.program.line(WARNING);
    assert.equal(level, 40);
    assert.deepEqual(container.program.lines.filter(({ msg }) => msg === WARNING).length, 1);
    container.signal("SIGHUP");
    await container.program.line("reload done");
    container.signal("SIGTERM");
    assert.deepEqual(await container.program.exit(), STOPPED);
  });

  it("leaves the place to an init that has it already", needs("tini"), async (t) => {
    const container = await contain(t, [...UNSHARE, "tini", "--"]);
    // Seen from inside: the supervisor comes right after tini.
    assert.equal((await container.request({ path: "/" })).text(), "2");
    assert.doesNotMatch(container.program.stdout, new RegExp(WARNING));
    await leaveBehind(container, "/leave");
    container.signal("SIGTERM");
    assert.deepEqual(await container.program.exit(), STOPPED);
  });
});
