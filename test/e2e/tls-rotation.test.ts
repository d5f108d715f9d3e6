import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import tls from "node:tls";
import { makeCertificate, type Pair } from "../helpers/certificates.ts";
import { eventually, within } from "../helpers/deadline.ts";
import { needs } from "../helpers/needs.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serveApp, type Serving } from "../helpers/serving.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 15_000;
const EXPIRY = "outrigger_tls_certificate_expiry_seconds";
const CURRENT = "outrigger_tls_certificate_current";

let one: Pair;
let two: Pair;

before(async (t) => {
  const dir = await tempDir(t as unknown as Scope);
  one = await makeCertificate({ dir, name: "one", days: 10 });
  two = await makeCertificate({ dir, name: "two", days: 20 });
});

/** A volume as the kubelet makes it: the files are links into `..data`, which is a link that it swaps. */
class SecretVolume {
  readonly dir: string;
  #version = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  get cert(): string {
    return join(this.dir, "tls.crt");
  }

  get key(): string {
    return join(this.dir, "tls.key");
  }

  async create({ cert, key }: Pair): Promise<this> {
    await mkdir(this.dir, { recursive: true });
    await this.swap({ cert, key });
    await symlink("..data/tls.crt", this.cert);
    await symlink("..data/tls.key", this.key);
    return this;
  }

  /** All of it changes at one instant. */
  async swap({ cert, key }: Pair): Promise<void> {
    this.#version += 1;
    const version = join(this.dir, `..version_${this.#version}`);
    await mkdir(version);
    await cp(cert, join(version, "tls.crt"));
    await cp(key, join(version, "tls.key"));
    await symlink(`..version_${this.#version}`, join(this.dir, "..data_tmp"));
    await rename(join(this.dir, "..data_tmp"), join(this.dir, "..data"));
  }
}

/** Name in the certificate that a new connection is shown; fails when there is no handshake or no answer. */
async function nameServed(path: string): Promise<string> {
  const socket = tls.connect({ path, rejectUnauthorized: false });
  try {
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const [answer] = await within(DEADLINE_MS, once(socket, "data"), "an answer");
    assert.match(String(answer), /^HTTP\/1\.1 200 /);
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}

async function isServed(path: string, name: string): Promise<void> {
  const check = async (): Promise<true | undefined> =>
    (await nameServed(path)) === name || undefined;
  await eventually(DEADLINE_MS, check, `certificate "${name}" to be served`);
}

interface Rotating extends Serving {
  readonly volume: SecretVolume;
}

async function serveSecret(scope: Scope, ...args: readonly string[]): Promise<Rotating> {
  const dir = await tempDir(scope);
  const volume = await new SecretVolume(join(dir, "secret")).create(one);
  const socketPath = join(dir, "app.sock");
  const endpoint = `${socketPath}?name=app&tls-cert=${volume.cert}&tls-key=${volume.key}`;
  const serving = await serveApp(scope, "hello.mjs", { args: ["--listen", endpoint, ...args] });
  return { ...serving, volume, socketPath };
}

describe("rotation of certificates", needs("openssl"), () => {
  it("loses no handshake and no connection while the kubelet swaps them", async (t) => {
    const { volume, socketPath, program, sum } = await serveSecret(
      t,
      "--workers",
      "2",
      "--min-ready",
      "2",
    );
    const veteran = tls.connect({ path: socketPath, rejectUnauthorized: false });
    onEnd(t, () => veteran.destroy());
    await within(DEADLINE_MS, once(veteran, "secureConnect"), "the handshake");
    const seen = new Set<string>();
    const failures: unknown[] = [];
    let isRunning = true;
    const clients = Array.from({ length: 3 }, async () => {
      while (isRunning) {
        await nameServed(socketPath).then(
          (name) => seen.add(name),
          (error: unknown) => failures.push(error),
        );
      }
    });
    for (const pair of [two, one, two]) {
      await volume.swap(pair);
      await isServed(socketPath, pair === two ? "two" : "one");
    }
    isRunning = false;
    await Promise.all(clients);
    assert.deepEqual(failures, []);
    assert.deepEqual([...seen].toSorted(), ["one", "two"]);
    assert.equal(await sum("outrigger_tls_handshake_failures_total"), 0);
    veteran.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const [answer] = await within(DEADLINE_MS, once(veteran, "data"), "an answer");
    assert.match(String(answer), /^HTTP\/1\.1 200 /);
    assert.equal(program.workerPids().length, 2);
    assert.ok(!program.lines.some(({ msg }) => msg === "worker exited"), "no worker was replaced");
  });

  it("tells when the certificate expires, and keeps the old one when the new cannot be used", async (t) => {
    const { volume, socketPath, program, metrics } = await serveSecret(t);
    const before = await metrics();
    const inDays = (seconds = 0): number => Math.round((seconds - Date.now() / 1_000) / 86_400);
    assert.equal(inDays(before.value(EXPIRY, { endpoint: "app" })), 10);
    assert.equal(before.value(CURRENT, { endpoint: "app" }), 1);
    await volume.swap({ cert: two.cert, key: one.key });
    const line = await program.line("new certificate cannot be used, the old one is kept");
    assert.equal(line.level, 50);
    assert.match(JSON.stringify(line), /tls-key \S+ does not belong to tls-cert/);
    assert.equal(await nameServed(socketPath), "one");
    const broken = await metrics();
    assert.equal(broken.value(CURRENT, { endpoint: "app" }), 0);
    assert.equal(inDays(broken.value(EXPIRY)), 10);
    await volume.swap(two);
    await isServed(socketPath, "two");
    const mended = await metrics();
    assert.equal(mended.value(CURRENT), 1);
    assert.equal(inDays(mended.value(EXPIRY)), 20);
  });

  it("waits for the second file of a pair that is written one after the other", async (t) => {
    const dir = await tempDir(t);
    const cert = join(dir, "a.crt");
    const key = join(dir, "a.key");
    await cp(one.cert, cert);
    await cp(one.key, key);
    const socketPath = join(dir, "app.sock");
    const endpoint = `${socketPath}?name=app&tls-cert=${cert}&tls-key=${key}`;
    const { program } = await serveApp(t, "hello.mjs", { args: ["--listen", endpoint] });
    await cp(two.cert, cert);
    await cp(two.key, key);
    await isServed(socketPath, "two");
    assert.ok(!program.lines.some(({ level }) => level === 50), "nothing was complained about");
  });

  it("reads them again on HUP, and gives them to workers that start later", async (t) => {
    const { volume, socketPath, program } = await serveSecret(t);
    await volume.swap(two);
    program.signal("SIGHUP");
    await program.line("reload done");
    assert.equal(await nameServed(socketPath), "two");
    await writeFile(volume.key, "");
    await program.line("new certificate cannot be used, the old one is kept");
    const [worker = 0] = program.workerPids();
    process.kill(worker, "SIGKILL");
    await program.line(
      ({ msg, pid }) =>
        msg === "worker ready" && pid !== worker && program.workerPids().length === 1,
    );
    assert.equal(await nameServed(socketPath), "two");
  });
});
