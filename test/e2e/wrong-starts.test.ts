import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, lstat, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { appPath } from "../helpers/apps.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { describeDir } from "../helpers/dir-snapshot.ts";
import { request } from "../helpers/http.ts";
import { scrape } from "../helpers/metrics.ts";
import { needs, needsPerl, needsRoot } from "../helpers/needs.ts";
import { freePort, startNginx } from "../helpers/nginx.ts";
import {
  leaveStaleSocket,
  startDatagramOwner,
  startForeignServer,
  startFullQueue,
} from "../helpers/other-owners.ts";
import { NOBODY, startProgramAs } from "../helpers/other-user.ts";
import { startProgram, type Program } from "../helpers/program.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { startKnocking } from "../helpers/knock.ts";

const APP = appPath("hello.mjs");
const TIMEOUT = { timeout: 60_000 };
const RESTARTS = 20;
const LONGEST_PATH = 107;

/** What the sun_path of another Node is like is not our business: these are the names an old one may have. */
const OLD_NODES = ["/usr/bin/node", "/usr/local/bin/node"];

function start(scope: Scope, ...args: readonly string[]): Program {
  return startProgram(scope, { args: [APP, "--workers", "1", "--ops", "off", ...args] });
}

interface Refusal {
  readonly code: number;
  readonly says: RegExp;
}

/** The program ends by itself with this exit code and one line on standard error that says why. */
async function assertRefused(program: Program, { code, says }: Refusal): Promise<void> {
  assert.deepEqual(await program.exit(), { code, signal: null }, program.stdout + program.stderr);
  assert.match(program.stderr, says);
  assert.match(program.stderr, /^outrigger: .*[^.\n]\n$/, "one line without a stack");
}

const OBSTACLES: Readonly<
  Record<string, { readonly put: (scope: Scope, path: string) => Promise<unknown>; readonly says: string }>
> = {
  "a regular file": { put: (_, path) => writeFile(path, "precious"), says: "a regular file is there, not a socket; move it away" },
  "a FIFO": { put: async (_, path) => spawnSync("mkfifo", [path]), says: "a FIFO is there" },
  "a directory": { put: putDirectory, says: "a directory is there" },
  "a link to a file": { put: putLinkToFile, says: "a symbolic link is there" },
  "a link to a live socket": { put: putLinkToSocket, says: "a symbolic link is there" },
  "a dangling link": { put: (_, path) => symlink("nowhere", path), says: "a symbolic link is there" },
  "a live foreign server": { put: startForeignServer, says: "its socket belongs to a live process that accepts connections; stop that one first" },
  "a live server with a full queue": { put: startFullQueue, says: "its socket belongs to a live process whose accept queue is full" },
}; // prettier-ignore

async function putDirectory(_: Scope, path: string): Promise<void> {
  await mkdir(path);
  await writeFile(join(path, "content"), "precious");
}

async function putLinkToFile(_: Scope, path: string): Promise<void> {
  await writeFile(`${path}.target`, "precious");
  await symlink(`${path}.target`, path);
}

async function putLinkToSocket(scope: Scope, path: string): Promise<void> {
  await startForeignServer(scope, `${path}.target`);
  await symlink(`${path}.target`, path);
}

describe("a start on a path that something else has", () => {
  for (const [what, { put, says }] of Object.entries(OBSTACLES)) {
    it(`is refused by ${what}, which is left alone`, TIMEOUT, async (t) => {
      const dir = await tempDir(t);
      const path = join(dir, "app.sock");
      await put(t, path);
      const before = await describeDir(dir);
      const program = start(t, "--socket", path);
      await assertRefused(program, {
        code: 3,
        says: new RegExp(`Cannot listen on ${path}: .*${says}`),
      });
      assert.deepEqual(await describeDir(dir), before);
    });
  }

  it("is refused by a datagram socket in use", { ...TIMEOUT, ...needsPerl() }, async (t) => {
    const dir = await tempDir(t);
    await startDatagramOwner(t, join(dir, "app.sock"));
    const before = await describeDir(dir);
    const program = start(t, "--socket", join(dir, "app.sock"));
    await assertRefused(program, { code: 3, says: /uses it as a datagram socket/ });
    assert.deepEqual(await describeDir(dir), before);
  });

  it(
    "is refused by another outrigger, whose pid it tells and which serves on",
    TIMEOUT,
    async (t) => {
      const dir = await tempDir(t);
      const path = join(dir, "app.sock");
      const owner = start(t, "--socket", path);
      await owner.ready();
      const before = await describeDir(dir);
      const program = start(t, "--socket", path);
      await assertRefused(program, {
        code: 3,
        says: new RegExp(
          `Cannot listen on ${path}: another process holds its lock \\(pid ${owner.pid}, as it says\\); stop that outrigger first`,
        ),
      });
      assert.deepEqual(await describeDir(dir), before);
      assert.equal((await request({ socketPath: path })).status, 200);
    },
  );

  it("is refused by an outrigger that is starting still", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    const owner = startProgram(t, {
      args: [appPath("slow-start.mjs"), "--workers", "1", "--ops", "off", "--socket", path],
      env: { START_MS: "3000" },
    });
    const isBound = async (): Promise<true | undefined> =>
      (await readdir(dir)).length > 0 ? true : undefined;
    await eventually(10_000, isBound, "the first to claim the path");
    await assertRefused(start(t, "--socket", path), {
      code: 3,
      says: new RegExp(`another process holds its lock \\(pid ${owner.pid}, as it says\\)`),
    });
    await owner.ready();
    assert.equal((await request({ socketPath: path })).text(), "started");
  });

  it(
    "is refused by an outrigger of another network namespace, whose lock cannot be seen",
    { ...TIMEOUT, ...needsNamespaces() },
    async (t) => {
      const dir = await tempDir(t);
      const path = join(dir, "app.sock");
      const owner = start(t, "--socket", path);
      await owner.ready();
      const before = await describeDir(dir);
      const stranger = startProgram(t, {
        node: "unshare",
        nodeArgs: ["--net", process.execPath],
        args: [APP, "--workers", "1", "--ops", "off", "--socket", path],
      });
      await assertRefused(stranger, {
        code: 3,
        says: /its socket belongs to a live process that accepts connections/,
      });
      assert.deepEqual(await describeDir(dir), before);
      assert.equal((await request({ socketPath: path })).status, 200);
    },
  );

  it("replaces a stale socket, says so and counts it", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "app.sock");
    await leaveStaleSocket(t, path);
    const program = startProgram(t, {
      args: [APP, "--workers", "1", "--ops", "127.0.0.1:0", "--socket", path],
    });
    await program.ready();
    assert.equal((await program.line("stale socket replaced"))["address"], path);
    assert.equal((await request({ socketPath: path })).status, 200);
    const metrics = await scrape(await program.opsPort());
    assert.equal(metrics.sum("outrigger_socket_stale_removed_total"), 1);
    program.signal("SIGTERM");
    assert.deepEqual(await program.exit(), { code: 0, signal: null });
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("a start in a directory that will not do", () => {
  it("says that it is missing", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    const program = start(t, "--socket", join(dir, "no", "app.sock"));
    await assertRefused(program, {
      code: 3,
      says: new RegExp(
        `Cannot listen on ${dir}/no/app\\.sock: directory ${dir}/no does not exist; create it, or mount a volume there$`,
        "m",
      ),
    });
    assert.deepEqual(await readdir(dir), []);
  });

  it("says that it is a file", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, "file"), "precious");
    const before = await describeDir(dir);
    const program = start(t, "--socket", join(dir, "file", "app.sock"));
    await assertRefused(program, {
      code: 3,
      says: /\/file is not a directory; choose a path in one/,
    });
    assert.deepEqual(await describeDir(dir), before);
  });

  it("says that it is not writable, and for whom", { ...TIMEOUT, ...needsRoot() }, async (t) => {
    const dir = await tempDir(t);
    await chmod(dir, 0o755);
    const program = startProgramAs(t, NOBODY, {
      args: [APP, "--workers", "1", "--ops", "off", "--socket", join(dir, "app.sock")],
    });
    await assertRefused(program, {
      code: 3,
      says: new RegExp(
        `directory ${dir} is not writable for uid ${NOBODY} \\(EACCES\\); mount a writable volume there`,
      ),
    });
    assert.deepEqual(await readdir(dir), []);
  });

  it(
    "says that it cannot give the socket a group we do not belong to",
    { ...TIMEOUT, ...needsRoot() },
    async (t) => {
      const dir = await tempDir(t);
      await chown(dir, NOBODY, NOBODY);
      const program = startProgramAs(t, NOBODY, {
        args: [
          APP,
          "--workers",
          "1",
          "--ops",
          "off",
          "--socket",
          join(dir, "app.sock"),
          "--socket-group",
          "0",
        ],
      });
      await assertRefused(program, {
        code: 3,
        says: /cannot give the socket group 0 \(EPERM\); choose a group this process belongs to/,
      });
      assert.deepEqual(await readdir(dir), []);
    },
  );

  it("says that a group is unknown", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    const program = start(t, "--socket", join(dir, "app.sock"), "--socket-group", "no-such-group");
    await assertRefused(program, { code: 3, says: /Cannot find group "no-such-group"/ });
    assert.deepEqual(await readdir(dir), []);
  });
});

describe("the length of a path", () => {
  /** A directory so long that a path in it has exactly `bytes` bytes with a name of `nameBytes`. */
  async function pathOf(scope: Scope, bytes: number, nameBytes: number): Promise<string> {
    const dir = await tempDir(scope);
    const long = join(dir, "d".repeat(bytes - nameBytes - dir.length - 2));
    await mkdir(long);
    const path = join(long, "s".repeat(nameBytes));
    assert.equal(Buffer.byteLength(path), bytes);
    return path;
  }

  it(
    "may be 107 bytes, through nginx and curl",
    { ...TIMEOUT, ...needs("nginx", "curl") },
    async (t) => {
      const path = await pathOf(t, LONGEST_PATH, 8);
      const program = start(t, "--socket", path);
      await program.ready();
      const nginx = await startNginx(t, { dir: await tempDir(t), socket: path });
      assert.equal((await request({ port: nginx.port })).text(), "hello\n");
      const { stdout } = await promisify(execFile)("curl", [
        "-sS",
        "-m",
        "10",
        "--unix-socket",
        path,
        "http://app/",
      ]);
      assert.equal(stdout, "hello\n");
      program.signal("SIGTERM");
      assert.deepEqual(await program.exit(), { code: 0, signal: null });
      assert.deepEqual(await readdir(join(path, "..")), []);
    },
  );

  it("may not be 108 bytes", TIMEOUT, async (t) => {
    const path = await pathOf(t, LONGEST_PATH + 1, 8);
    await assertRefused(start(t, "--socket", path), {
      code: 2,
      says: new RegExp(`"${path}".*the path is 108 bytes long: expected at most 107`),
    });
    assert.deepEqual(await readdir(join(path, "..")), []);
  });

  it("leaves room for the temporary name", TIMEOUT, async (t) => {
    const path = await pathOf(t, LONGEST_PATH, 7);
    await assertRefused(start(t, "--socket", path), {
      code: 2,
      says: /its temporary name is 108 bytes long: expected at most 107/,
    });
    assert.deepEqual(await readdir(join(path, "..")), []);
  });
});

describe("a command line that cannot be meant", () => {
  const refused: Readonly<Record<string, Refusal>> = {
    "127.0.0.1:99999": { code: 2, says: /"127\.0\.0\.1:99999".*port 99999 is out of range: expected 0 to 65535/ },
    "8080": { code: 2, says: /"8080": a port is written with a colon: did you mean ":8080"/ },
    "127.0.0.1:0?tls-cert=a.pem": { code: 2, says: /tls-cert is given without tls-key: TLS wants both/ },
    "127.0.0.1:0?tls-key=a.pem": { code: 2, says: /tls-key is given without tls-cert: TLS wants both/ },
    "127.0.0.1:0?proxy-protocol=on": { code: 2, says: /proxy-protocol "on" is refused, expected require, optional or off/ },
    "127.0.0.1:0?proxy-protocol=require": { code: 2, says: /believes trusted peers only: add the address of the proxy to --trusted-proxies/ },
    "systemd:app": { code: 3, says: /Cannot listen on systemd:app: no socket was handed to us \(LISTEN_FDS is not set\)/ },
    "fd:999": { code: 3, says: /Cannot listen on fd:999: descriptor 999 is not open/ },
    "./app.sock?colour=red": { code: 2, says: /colour/ },
  }; // prettier-ignore
  for (const [endpoint, refusal] of Object.entries(refused)) {
    it(`is refused: --listen ${endpoint}`, TIMEOUT, async (t) => {
      const cwd = await tempDir(t);
      const args = [APP, "--ops", "off", "--listen", join(cwd, "first.sock"), "--listen", endpoint];
      await assertRefused(startProgram(t, { args, cwd }), refusal);
      assert.deepEqual(await readdir(cwd), []);
    });
  }

  for (const [what, second] of Object.entries({
    "as it is": "./app.sock",
    "by another spelling": "unix:../{dir}/./app.sock",
    "with other options": "./app.sock?mode=0600",
  })) {
    it(`is refused: an endpoint given twice, ${what}`, TIMEOUT, async (t) => {
      const cwd = await tempDir(t);
      const again = second.replace("{dir}", cwd.slice("/tmp/".length));
      const args = [APP, "--ops", "off", "--listen", join(cwd, "app.sock"), "--listen", again];
      await assertRefused(startProgram(t, { args, cwd }), { code: 2, says: /app\.sock/ });
      assert.deepEqual(await readdir(cwd), []);
    });
  }
});

describe("a start of which one endpoint is taken", () => {
  async function listenOnPort(scope: Scope): Promise<number> {
    const owner = createServer((socket) => socket.end("foreign")).listen(0, "127.0.0.1");
    await once(owner, "listening");
    onEnd(scope, () => owner.close());
    const address = owner.address();
    assert.ok(typeof address === "object" && address !== null);
    return address.port;
  }

  it("gives the first back when the port of the second is busy", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    const port = await listenOnPort(t);
    const args = ["--listen", join(dir, "app.sock"), "--listen", `127.0.0.1:${port}`];
    await assertRefused(start(t, ...args), {
      code: 3,
      says: new RegExp(
        `Cannot listen on 127\\.0\\.0\\.1:${port}: the address is already in use; stop the process that holds it`,
      ),
    });
    assert.deepEqual(await readdir(dir), []);
  });

  it("gives the first back when the path of the second is taken", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    const port = await freePort();
    await writeFile(join(dir, "app.sock"), "precious");
    const before = await describeDir(dir);
    const args = [
      "--listen",
      `127.0.0.1:${port}`,
      "--listen",
      join(dir, "one.sock"),
      "--listen",
      join(dir, "app.sock"),
    ];
    await assertRefused(start(t, ...args), { code: 3, says: /app\.sock: a regular file is there/ });
    assert.deepEqual(await describeDir(dir), before);
    const taker = createServer().listen(port, "127.0.0.1");
    await once(taker, "listening");
    taker.close();
  });

  it("touches no socket when the ops port is busy", TIMEOUT, async (t) => {
    const dir = await tempDir(t);
    const port = await listenOnPort(t);
    await leaveStaleSocket(t, join(dir, "app.sock"));
    const before = await describeDir(dir);
    const program = startProgram(t, {
      args: [
        APP,
        "--workers",
        "1",
        "--ops",
        `127.0.0.1:${port}`,
        "--socket",
        join(dir, "app.sock"),
      ],
    });
    await assertRefused(program, {
      code: 3,
      says: new RegExp(
        `Cannot listen on ops endpoint 127\\.0\\.0\\.1:${port}: address already in use.*choose another --ops HOST:PORT`,
      ),
    });
    assert.deepEqual(await describeDir(dir), before);
  });

  it(
    "says which address it was when another process takes the port after us",
    TIMEOUT,
    async (t) => {
      const port = await freePort();
      const programs = [1, 2].map(() => start(t, "--listen", `127.0.0.1:${port}`));
      const loser = await Promise.race(
        programs.map(async (program) => (await program.exit(), program)),
      );
      await assertRefused(loser, { code: 3, says: new RegExp(`127\\.0\\.0\\.1:${port}`) });
      const [winner] = programs.filter((program) => program !== loser);
      await winner?.ready();
      assert.equal((await request({ port })).status, 200);
    },
  );
});

describe("an app that cannot start", () => {
  for (const [app, says] of Object.entries({
    "failing-start.mjs": /the database said no/,
    "broken.mjs": /broken at import/,
  })) {
    it(`leaves nothing behind: ${app}`, TIMEOUT, async (t) => {
      const dir = await tempDir(t);
      const program = startProgram(t, {
        args: [appPath(app), "--workers", "2", "--ops", "off", "--socket", join(dir, "app.sock")],
      });
      assert.deepEqual(await program.exit(), { code: 3, signal: null });
      assert.match(program.stderr, says);
      assert.deepEqual(await readdir(dir), []);
    });
  }
});

describe("the mode of the socket file", () => {
  for (const umask of [0o000, 0o022, 0o077]) {
    it(
      `is the one asked for under umask ${umask.toString(8).padStart(3, "0")}`,
      TIMEOUT,
      async (t) => {
        const path = join(await tempDir(t), "app.sock");
        // A child inherits the mask of the moment it is started.
        const before = process.umask(umask);
        const program = start(t, "--socket", path, "--socket-mode", "0660");
        process.umask(before);
        await program.ready();
        assert.equal(((await lstat(path)).mode & 0o7777).toString(8), "660");
      },
    );
  }

  it(
    "is final whenever the file is there: nobody who may connect is ever denied",
    { timeout: 120_000, ...needsRoot() },
    async (t) => {
      const dir = await tempDir(t);
      await chmod(dir, 0o755);
      const path = join(dir, "app.sock");
      const knocking = await startKnocking(t, path, NOBODY);
      for (let round = 0; round < RESTARTS; round += 1) {
        const before = process.umask(0o077);
        const program = start(t, "--socket", path, "--socket-mode", "0666");
        process.umask(before);
        await program.ready();
        await knocking.next("connected");
        // By turns a clean stop and a stale file for the next start.
        program.signal(round % 2 === 0 ? "SIGTERM" : "SIGKILL");
        await within(10_000, program.exit(), "the program to end");
      }
      const outcomes = await knocking.stop();
      assert.ok((outcomes["connected"] ?? 0) >= RESTARTS);
      const known = new Set(["connected", "ENOENT", "ECONNREFUSED"]);
      assert.deepEqual(
        Object.keys(outcomes).filter((outcome) => !known.has(outcome)),
        [],
        JSON.stringify(outcomes),
      );
    },
  );
});

describe("a Node that is too old", () => {
  const oldNode = OLD_NODES.find((path) => existsSync(path) && majorOf(path) < 24);

  it(
    "is told so in one sentence",
    { ...TIMEOUT, skip: oldNode === undefined && "no old Node on this machine" },
    async (t) => {
      const program = startProgram(t, { node: oldNode ?? "", args: [APP] });
      await assertRefused(program, {
        code: 3,
        says: /needs Node\.js 24\.19 or newer.*this is v\d+\./,
      });
      assert.equal(program.stdout, "");
    },
  );
});

function majorOf(node: string): number {
  return Number(/^v(\d+)/.exec(spawnSync(node, ["--version"]).stdout.toString())?.[1]);
}

/** Options for a test that needs a network namespace of its own. */
function needsNamespaces(): { readonly skip: string | false } {
  return { skip: spawnSync("unshare", ["--net", "true"]).status !== 0 && "needs unshare --net" };
}
