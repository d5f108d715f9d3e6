import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { BoundSocket, createServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { silentLogger, type Logger } from "../../src/log/logger.ts";
import { ProbePort } from "../../src/ops/probe-port.ts";
import { eventually } from "../helpers/deadline.ts";
import { knockPort } from "../helpers/knock.ts";
import { needsPerl } from "../helpers/needs.ts";
import { RawClient } from "../helpers/raw-client.ts";

/** Binds without SO_REUSEADDR, as the system does when it looks for a free port; Node always sets it. */
const BIND = `
  use Socket;
  socket(S, PF_INET, SOCK_STREAM, 0);
  print bind(S, pack_sockaddr_in($ARGV[0], inet_aton("127.0.0.1"))) ? "bound" : $!;`;
const DEADLINE_MS = 10_000;

interface World {
  isReady: boolean;
  readonly errors: string[];
}

async function claim(
  t: TestContext,
  endpoint = { host: "127.0.0.1", port: 0 },
): Promise<{ probe: ProbePort; world: World }> {
  const world: World = { isReady: false, errors: [] };
  const log: Logger = { ...silentLogger, error: (_fields, message) => world.errors.push(message) };
  const probe = await ProbePort.claim({ endpoint, log, isReady: () => world.isReady });
  t.after(() => probe.close());
  return { probe, world };
}

describe("ProbePort", () => {
  it("is refused until it follows a verdict that passes, and again when that fails", async (t) => {
    const { probe, world } = await claim(t);
    for (let round = 0; round < 3; round += 1) {
      world.isReady = false;
      probe.follow();
      assert.equal(await knockPort(probe.address), "ECONNREFUSED");
      world.isReady = true;
      probe.follow();
      assert.equal(await knockPort(probe.address), "connected");
    }
    probe.close();
    assert.equal(await knockPort(probe.address), "ECONNREFUSED");
    probe.follow();
    assert.equal(await knockPort(probe.address), "ECONNREFUSED");
  });

  it("notices by itself within 100 ms what nobody tells", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const { probe, world } = await claim(t);
    world.isReady = true;
    t.mock.timers.tick(100);
    assert.equal(await knockPort(probe.address), "connected");
    world.isReady = false;
    t.mock.timers.tick(100);
    assert.equal(await knockPort(probe.address), "ECONNREFUSED");
  });

  it("keeps its port while it is not open", needsPerl(), async (t) => {
    const { probe } = await claim(t);
    const bind = (): string =>
      spawnSync("perl", ["-e", BIND, String(probe.address.port)]).stdout.toString();
    assert.equal(bind(), "Address already in use");
    probe.close();
    assert.equal(bind(), "bound");
  });

  it("cuts the connections it holds when it closes", async (t) => {
    const { probe, world } = await claim(t);
    world.isReady = true;
    probe.follow();
    const client = await RawClient.open(t, probe.address);
    world.isReady = false;
    probe.follow();
    assert.equal(await client.ended(), "");
  });

  it("refuses a port that somebody listens on with a sentence", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    await assert.rejects(claim(t, { host: "127.0.0.1", port: address.port }), {
      code: "ERR_LISTEN",
      message: `Cannot listen on probe port 127.0.0.1:${address.port}: address already in use; stop the process that holds it or choose another --probe HOST:PORT or --probe off`,
    });
  });

  it("says once that somebody took the port, and opens it when it is free again", async (t) => {
    const { probe, world } = await claim(t);
    const thief = createServer((socket) => socket.end("mine"));
    // The kernel lets a socket that asks for this very port have it beside one that does not listen.
    thief.listen(new BoundSocket(probe.address));
    await once(thief, "listening");
    world.isReady = true;
    probe.follow();
    await eventually(DEADLINE_MS, () => world.errors[0], "the failure to be told");
    probe.follow();
    thief.close();
    const isOurs = async (): Promise<true | undefined> => {
      if ((await knockPort(probe.address)) !== "connected") return undefined;
      return true;
    };
    await eventually(DEADLINE_MS, isOurs, "the port to open");
    assert.deepEqual(world.errors, ["probe port cannot be opened"]);
  });
});
