import assert from "node:assert/strict";
import { once } from "node:events";
import { BoundSocket, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  parseUnixTable,
  readKernelAccounts,
  type KernelAccount,
} from "../../src/listener/kernel-accounts.ts";
import { eventually } from "../helpers/deadline.ts";
import { startFullQueue } from "../helpers/other-owners.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const HEADER = "Num       RefCount Protocol Flags    Type St Inode Path";
const NOTHING: KernelAccount = { accepted: 0, queued: 0 };

function row(state: string, path?: string, flags = "00000000"): string {
  const inode = " 4711";
  const fixed = `ffff8881: 00000003 00000000 ${flags} 0001 ${state} ${inode}`;
  return path === undefined ? fixed : `${fixed} ${path}`;
}

function parse(rows: readonly string[], name: string): KernelAccount | undefined {
  return parseUnixTable([HEADER, ...rows, ""].join("\n"), [name]).get(name);
}

async function accountOf(name: string): Promise<KernelAccount | undefined> {
  return (await readKernelAccounts([name]))?.get(name);
}

/** Waits until the kernel's account of a name is this one. */
async function untilAccount(name: string, expected: KernelAccount): Promise<void> {
  await eventually(
    5_000,
    async () => {
      const account = await accountOf(name);
      const isExpected =
        account?.accepted === expected.accepted && account.queued === expected.queued;
      return isExpected ? true : undefined;
    },
    `${expected.accepted} accepted and ${expected.queued} queued`,
  );
}

async function listen(scope: Scope, path: string): Promise<Server> {
  const server = createServer().listen(path);
  await once(server, "listening");
  onEnd(scope, () => server.close());
  return server;
}

describe("parseUnixTable", () => {
  const path = "/run/.orabc00";

  it("counts accepted and queued connections apart", () => {
    const rows = [row("03", path), row("02", path), row("03", path)];
    assert.deepEqual(parse(rows, path), { accepted: 2, queued: 1 });
  });

  it("counts neither the listener nor a socket that is only bound", () => {
    const rows = [row("01", path, "00010000"), row("01", path)];
    assert.deepEqual(parse(rows, path), NOTHING);
  });

  it("counts neither other paths nor sockets without one", () => {
    const rows = [row("03", `${path}x`), row("03", path.slice(1)), row("03"), "", "garbage"];
    assert.deepEqual(parse(rows, path), NOTHING);
  });

  it("tells names with spaces, letters of any language and abstract ones apart", () => {
    for (const name of ["/run/my app.sock", "/run/größe.sock", "@app", "@a b"]) {
      const raw = Buffer.from(name).toString("latin1");
      assert.deepEqual(parse([row("03", raw)], name), { accepted: 1, queued: 0 }, name);
    }
  });

  it("has an account for every name it is asked about, an empty one for strangers", () => {
    const accounts = parseUnixTable([HEADER, row("03", "/a")].join("\n"), ["/a", "/b"]);
    assert.deepEqual(Object.fromEntries(accounts), {
      "/a": { accepted: 1, queued: 0 },
      "/b": NOTHING,
    });
  });
});

describe("readKernelAccounts", () => {
  it("follows real connections as they come and go", async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await listen(t, path);
    assert.deepEqual(await accountOf(path), NOTHING);
    const clients = [connect(path), connect(path), connect(path)];
    await untilAccount(path, { accepted: 3, queued: 0 });
    clients[0]?.destroy();
    await untilAccount(path, { accepted: 2, queued: 0 });
    for (const client of clients) client.destroy();
    await untilAccount(path, NOTHING);
  });

  it("sees connections wait that nobody accepts", { timeout: 30_000 }, async (t) => {
    const path = join(await tempDir(t), "app.sock");
    await startFullQueue(t, path);
    assert.deepEqual(await accountOf(path), { accepted: 0, queued: 2 });
  });

  it("sees the connections of an abstract socket", async (t) => {
    const name = `or-test-${process.pid}`;
    await listen(t, `\0${name}`);
    const client = connect(`\0${name}`);
    onEnd(t, () => client.destroy());
    await untilAccount(`@${name}`, { accepted: 1, queued: 0 });
  });

  it("counts by the name of bind time, for a name that is not ASCII too", async (t) => {
    const path = join(await tempDir(t), "größe.sock");
    const server = createServer();
    server.listen(new BoundSocket({ path }));
    await once(server, "listening");
    onEnd(t, () => server.close());
    const client = connect(path);
    onEnd(t, () => client.destroy());
    await untilAccount(path, { accepted: 1, queued: 0 });
  });

  it("asks nothing about no names", async () => {
    assert.deepEqual(await readKernelAccounts([]), new Map());
  });
});
