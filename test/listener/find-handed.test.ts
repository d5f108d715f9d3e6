import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Activation, HandedDescriptor } from "../../src/activation.ts";
import { DEFAULTS, type Endpoint } from "../../src/config/config.ts";
import { parseEndpoint } from "../../src/config/endpoint.ts";
import { findHanded } from "../../src/listener/find-handed.ts";
import { unixEndpoint } from "../helpers/endpoints.ts";
import { needs } from "../helpers/needs.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { keepBound, keepListening } from "../helpers/socket-keeper.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const NONE: Activation = { kind: "none" };

function handed(...descriptors: readonly HandedDescriptor[]): Activation {
  return { kind: "handed", descriptors };
}

function endpointOf(text: string, name = "app"): Endpoint {
  const endpoint = parseEndpoint(text, {
    cwd: "/srv",
    backlog: 64,
    maxConnections: 0,
    limits: DEFAULTS.limits,
  });
  return { ...endpoint, name: endpoint.name ?? name };
}

async function listen(scope: Scope): Promise<Server> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onEnd(scope, () => server.close());
  return server;
}

/** The descriptor that Node has for a server or a socket. */
function descriptorOf(owner: object): number {
  const handle: unknown = Reflect.get(owner, "_handle");
  assert.ok(typeof handle === "object" && handle !== null && "fd" in handle);
  return Number(handle.fd);
}

/** Descriptors of this process that are sockets. */
function ownSockets(): string[] {
  return readdirSync("/proc/self/fd").filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith("socket:");
    } catch {
      return false;
    }
  });
}

function refusal(texts: readonly string[], activation: Activation = NONE): Promise<string> {
  return findHanded(
    texts.map((text) => endpointOf(text, text)),
    activation,
  ).then(
    () => "nothing was refused",
    (error: unknown) => String(error),
  );
}

describe("findHanded", () => {
  it("finds a socket by descriptor, and leaves other endpoints as they are", async (t) => {
    const server = await listen(t);
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const descriptor = descriptorOf(server);
    const other = unixEndpoint("/run/other.sock", { name: "other" });
    const { endpoints, unused } = await findHanded([other, endpointOf(`fd:${descriptor}`)], NONE);
    assert.equal(endpoints[0], other);
    const [, found] = endpoints;
    assert.deepEqual(found?.kind === "handed" && found.found, {
      descriptor,
      bound: { kind: "tcp", host: "127.0.0.1", port: address.port },
    });
    assert.deepEqual(unused, []);
  });

  it("makes an endpoint of every socket of a name, and tells which were not wanted", async (t) => {
    const servers = [await listen(t), await listen(t), await listen(t)];
    const [web, other, more] = servers.map(descriptorOf);
    assert.ok(web !== undefined && other !== undefined && more !== undefined);
    const activation = handed(
      { descriptor: web, name: "web" },
      { descriptor: other, name: "other" },
      { descriptor: more, name: "web" },
    );
    const { endpoints, unused } = await findHanded([endpointOf("systemd:web")], activation);
    assert.deepEqual(
      endpoints.map(({ name, ...rest }) => [
        name,
        rest.kind === "handed" && rest.found?.descriptor,
      ]),
      [
        ["app:1", web],
        ["app:2", more],
      ],
    );
    assert.deepEqual(unused, [{ descriptor: other, name: "other" }]);
  });

  it("finds the path of a Unix socket", needs("perl"), async (t) => {
    const path = join(await tempDir(t), "a b.sock");
    const descriptor = keepListening(t, { path });
    const { endpoints } = await findHanded([endpointOf(`fd:${descriptor}`)], NONE);
    assert.deepEqual(
      endpoints.map((endpoint) => endpoint.kind === "handed" && endpoint.found?.bound),
      [{ kind: "unix", path }],
    );
  });

  it("names the names there are", async () => {
    const activation = handed(
      { descriptor: 3, name: "web" },
      { descriptor: 4, name: "web" },
      { descriptor: 5, name: "tcp" },
    );
    assert.match(
      await refusal(["systemd:wbe"], activation),
      /Cannot listen on systemd:wbe: we were handed no socket of that name, but "web", "tcp"; FileDescriptorName=/,
    );
    assert.match(
      await refusal(["systemd:web"], handed({ descriptor: 3, name: undefined })),
      /systemd:web: the sockets we were handed have no names \(LISTEN_FDNAMES is not set\); use fd:3/,
    );
  });

  it("says why there are none", async () => {
    assert.match(
      await refusal(["systemd:web"]),
      /no socket was handed to us \(LISTEN_FDS is not set\)/,
    );
    const activation: Activation = { kind: "refused", reason: "they are for somebody else" };
    assert.match(
      await refusal(["systemd:web"], activation),
      /systemd:web: they are for somebody else$/,
    );
  });

  it("refuses a descriptor that two endpoints name", async (t) => {
    const descriptor = descriptorOf(await listen(t));
    assert.match(
      await refusal([`fd:${descriptor}`, "systemd:web"], handed({ descriptor, name: "web" })),
      new RegExp(`systemd:web: descriptor ${descriptor} is fd:${descriptor} already`),
    );
  });

  it("refuses a name that several sockets would share with another endpoint", async (t) => {
    const [one, two] = [descriptorOf(await listen(t)), descriptorOf(await listen(t))];
    const activation = handed({ descriptor: one, name: "web" }, { descriptor: two, name: "web" });
    assert.match(
      await refusal(["systemd:web?name=x", "127.0.0.1:1?name=x:1"], activation),
      /Cannot listen on x:1: two endpoints have this name/,
    );
  });

  it("refuses what is no listening stream socket, and says what it is", async (t) => {
    const file = openSync("/dev/null", "r");
    onEnd(t, () => closeSync(file));
    assert.match(await refusal([`fd:${file}`]), /is not a socket but \/dev\/null$/);
    assert.match(
      await refusal(["fd:9999"]),
      /Cannot listen on fd:9999: descriptor 9999 is not open$/,
    );
    const before = ownSockets();
    const packets = createSocket("udp4").bind(0, "127.0.0.1");
    onEnd(t, () => packets.close());
    await once(packets, "listening");
    const [packetDescriptor] = ownSockets().filter((one) => !before.includes(one));
    assert.match(
      await refusal([`fd:${packetDescriptor}`]),
      /is not a stream socket; HTTP needs one/,
    );
    const path = join(await tempDir(t), "bound.sock");
    assert.match(
      await refusal([`fd:${keepBound(t, { path })}`]),
      /does not listen; whoever opens it/,
    );
    const tcp = keepBound(t, { host: "127.0.0.1", port: 0 });
    assert.match(await refusal([`fd:${tcp}`]), /does not listen in our network namespace/);
    const connection = await connectTo(t, await listen(t));
    assert.match(
      await refusal([`fd:${descriptorOf(connection)}`]),
      /is a connection, not a socket that listens; a socket unit must not say Accept=yes/,
    );
  });
});

async function connectTo(scope: Scope, server: Server): Promise<Socket> {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const socket = connect(address.port, "127.0.0.1");
  onEnd(scope, () => socket.destroy());
  await once(socket, "connect");
  return socket;
}
