import assert from "node:assert/strict";
import { lstatSync, readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { NO_INIT } from "../../src/cli/init.ts";
import {
  IMAGE,
  needsContainers,
  ROOT,
  suiteContainers,
  type Containers,
} from "../helpers/containers.ts";
import { eventually } from "../helpers/deadline.ts";
import { request, type Response } from "../helpers/http.ts";
import { Metrics } from "../helpers/metrics.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const DEADLINE_MS = 30_000;
const OPS_PORT = 9464;
/** What a cautious operator takes away from a container. */
const CONFINED = [
  "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges:true",
]; // prettier-ignore
const HELLO = [`--volume=${join(ROOT, "examples/hello")}:/app:ro`];
const MEGABYTE = 1_000_000;

interface ImageFacts {
  readonly Created: string;
  readonly Size: number;
  readonly Labels: Readonly<Record<string, string>>;
  readonly RootFS: { readonly Layers: readonly string[] };
  readonly Config: Readonly<Record<string, unknown>>;
}

async function inspectImage(containers: Containers, image: string): Promise<ImageFacts> {
  const [facts] = JSON.parse(await containers.podman(["image", "inspect", image])) as [ImageFacts];
  return facts;
}

/** Starts the hello app, or what `command` says, with its socket in a volume of the same name. */
async function serve(
  containers: Containers,
  name: string,
  command: readonly string[] = ["./app.ts"],
): Promise<string> {
  const volume = `--volume=${name}:/run/outrigger`;
  await containers.run(["--name", name, ...CONFINED, ...HELLO, volume, IMAGE, ...command]);
  await containers.healthy(name);
  return join(await containers.pathOf(name), "app.sock");
}

async function askOps(containers: Containers, name: string, path: string): Promise<Response> {
  return await request({ host: await containers.addressOf(name), port: OPS_PORT, path });
}

/** Sends the stop signal of the image; resolves with the exit code. */
async function stop(containers: Containers, name: string): Promise<number> {
  await containers.podman(["stop", "--time=20", name]);
  return await containers.exitCode(name);
}

describe("the image of docker/Dockerfile", needsContainers(), () => {
  const open = suiteContainers();

  it("says what it is and how it is run", async () => {
    const { Config, Labels } = await inspectImage(open(), IMAGE);
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      readonly version: string;
    };
    assert.deepEqual(
      [Config["User"], Config["Entrypoint"], Config["Cmd"] ?? [], Config["StopSignal"]],
      ["1000:2000", ["outrigger"], [], "SIGTERM"],
    );
    assert.equal(Labels["org.opencontainers.image.version"], version);
    assert.equal(Labels["org.opencontainers.image.licenses"], "MIT");
    const help = await open().tryPodman(["run", "--rm", "--network=none", IMAGE]);
    assert.match(help.stderr, /Cannot start without an app/);
  });

  it("holds the program and what it needs, and nothing that only building needs", async () => {
    const { Layers } = (await inspectImage(open(), IMAGE)).RootFS;
    const base = await inspectImage(open(), "node:26-bookworm-slim");
    assert.deepEqual(Layers.slice(0, base.RootFS.Layers.length), base.RootFS.Layers);
    const added = (await inspectImage(open(), IMAGE)).Size - base.Size;
    assert.ok(added < 10 * MEGABYTE, `it adds ${added} bytes to Node`);
    const list = ["run", "--rm", "--network=none", "--entrypoint=ls", IMAGE, "-1"];
    const folder = "/node_modules/outrigger";
    assert.deepEqual((await open().podman([...list, folder])).split("\n"), [
        "CHANGELOG.md", "LICENSE", "dist", "node_modules", "package.json",
      ]); // prettier-ignore
    const packages = (await open().podman([...list, `${folder}/node_modules`])).split("\n");
    assert.ok(packages.includes("commander") && !packages.includes("typescript"));
  });

  it("runs as uid 1000 with nothing to write to but the socket's volume, and stops with 0", async () => {
    const socketPath = await serve(open(), "confined");
    const answer = await request({ socketPath });
    assert.deepEqual([answer.status, answer.text()], [200, "Hello from Outrigger\n"]);
    const { uid, gid, mode } = lstatSync(socketPath);
    assert.deepEqual([uid, gid, mode & 0o7777], [1000, 2000, 0o660]);
    assert.equal((await open().inspect("confined")).State.Health?.Status, "healthy");
    assert.equal((await askOps(open(), "confined", "/readyz")).status, 200);
    assert.equal(await open().podman(["exec", "confined", "id", "-u"]), "1000");
    const write = await open().tryPodman(["exec", "confined", "touch", "/tmp/x"]);
    assert.match(write.stderr, /Read-only file system/);
    assert.equal(await stop(open(), "confined"), 0);
    assert.deepEqual(await readdir(await open().pathOf("confined")), []);
  });

  it("needs no shell, curl or sleep to run, to be asked and to stop", async (t) => {
    const dir = await tempDir(t);
    const dockerfile = join(dir, "Dockerfile");
    await writeFile(
      dockerfile,
      `FROM ${IMAGE}
COPY app.ts /app/
USER 0
RUN rm -f ${["sh", "dash", "bash", "sleep", "curl"].map((name) => `/usr/bin/${name}`).join(" ")}
USER 1000:2000
CMD ["./app.ts"]
`,
    );
    await open().build({ tag: "shell-less", dockerfile, context: join(ROOT, "examples/hello") });
    const volume = "--volume=shell-less:/run/outrigger";
    await open().run(["--name=shell-less", ...CONFINED, volume, "shell-less"]);
    await open().healthy("shell-less");
    const shell = await open().tryPodman(["exec", "shell-less", "sh", "-c", "true"]);
    assert.notEqual(shell.code, 0);
    assert.ok((await open().logs("shell-less")).includes(NO_INIT));
    assert.equal(await stop(open(), "shell-less"), 0);
  });

  it("starts again over the socket that a killed container left in the volume", async () => {
    const socketPath = await serve(open(), "killed");
    const { ino } = lstatSync(socketPath);
    await open().podman(["kill", "--signal=KILL", "killed"]);
    assert.equal(await open().exitCode("killed"), 137);
    assert.equal(lstatSync(socketPath).ino, ino);
    await assert.rejects(request({ socketPath }), { code: "ECONNREFUSED" });
    await open().podman(["start", "killed"]);
    await open().healthy("killed");
    assert.equal((await request({ socketPath })).status, 200);
    const metrics = new Metrics((await askOps(open(), "killed", "/metrics")).text());
    assert.equal(metrics.sum("outrigger_socket_stale_removed_total"), 1);
    assert.equal(await stop(open(), "killed"), 0);
  });

  it("lets nginx in as uid 101 by the group of the socket alone", async () => {
    await serve(open(), "app");
    const statuses: number[] = [];
    for (const [name, more] of [
      ["nginx", ["--group-add=2000"]],
      ["stranger", []],
    ] as const) {
      await open().run([
          `--name=${name}`, ...CONFINED, ...more, "--tmpfs=/tmp", "--tmpfs=/run/nginx",
          "--volume=app:/run/outrigger",
          `--volume=${join(ROOT, "docker/nginx.conf")}:/etc/nginx/nginx.conf:ro`,
          `--entrypoint=["nginx","-e","stderr"]`, "nginxinc/nginx-unprivileged:1.30",
        ]); // prettier-ignore
      assert.equal(await open().podman(["exec", name, "id", "-u"]), "101");
      const host = await open().addressOf(name);
      const answer = await eventually(
        DEADLINE_MS,
        () => request({ host, port: 8080 }).catch(() => undefined),
        `${name} to answer`,
      );
      statuses.push(answer.status);
    }
    assert.deepEqual(statuses, [200, 502]);
    assert.match(await open().logs("stranger"), /13: Permission denied/);
    assert.equal(await stop(open(), "nginx"), 0);
  });

  it("has the same layers and settings when it is built again", async () => {
    const options = { dockerfile: join(ROOT, "docker/Dockerfile"), context: ROOT };
    await open().build({ tag: "again", ...options }, ["--no-cache"]);
    const [first, again] = [await inspectImage(open(), IMAGE), await inspectImage(open(), "again")];
    assert.deepEqual(again.RootFS.Layers, first.RootFS.Layers);
    assert.deepEqual([again.Config, again.Created], [first.Config, first.Created]);
  });
});
