/**
 * `node test/containers/base-images.ts`: makes stand-ins for the images that ours is built from and runs
 * beside, for machines that reach no image registry, and prints the store they are in. They have the real
 * names, users, entry points and signals; what is in them comes from Debian, and from the Node of `npm ci`.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeBinary, pinnedVersion } from "../node-versions.ts";
import { ensureTools } from "../tools.ts";
import { programFiles } from "./host-files.ts";
import { CACHE, engineEnvironment, engineFiles, keepStore } from "./store.ts";

/** The names the Dockerfile, compose.yaml and the manifests use. */
export const IMAGES = {
  node: "docker.io/library/node:26-bookworm-slim",
  nginx: "docker.io/nginxinc/nginx-unprivileged:1.30",
  prometheus: "docker.io/prom/prometheus:v3.5.0",
} as const;

/** What Node is linked against beyond a base system. */
const NODE_LIBRARIES = "libatomic1";
/** What is taken from this machine. */
const PROGRAMS = {
  nginx: ["nginx", "curl"],
  // The image has its wget from busybox.
  prometheus: ["prometheus", "promtool", "busybox"],
} as const;
/** As in the image of nginx: a file in conf.d is all that one has to bring. */
const NGINX_CONF = `pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    access_log /dev/stdout;
    client_body_temp_path /tmp/client_temp;
    proxy_temp_path /tmp/proxy_temp;
    fastcgi_temp_path /tmp/fastcgi_temp;
    uwsgi_temp_path /tmp/uwsgi_temp;
    scgi_temp_path /tmp/scgi_temp;
    include /etc/nginx/conf.d/*.conf;
}
`;

type Run = (...args: readonly string[]) => string;

export async function makeBaseImages(): Promise<string> {
  ensureTools();
  mkdirSync(CACHE, { recursive: true });
  const rootfs = ensureRootfs();
  const files = Object.values(PROGRAMS).flatMap(programFiles);
  const key = createHash("sha256")
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .update(files.map((file) => `${file} ${statSync(file).mtimeMs}`).join())
    .update(pinnedVersion())
    .digest("hex");
  return await keepStore("base", key.slice(0, 12), async (store) => {
    const dir = mkdtempSync("/tmp/or-base-");
    try {
      for (const [name, text] of engineFiles({ dir, graphRoot: store, imageStores: [] }))
        writeFileSync(join(dir, name), text);
      const env = engineEnvironment(dir);
      const run: Run = (...args) =>
        execFileSync("buildah", args, {
          env,
          encoding: "utf8",
          stdio: ["ignore", "pipe", 2],
        }).trim();
      buildAll(run, rootfs);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}

/** Debian's base system as a tar file. */
function ensureRootfs(): string {
  const suite = hostSuite();
  const file = join(CACHE, `${suite}-${process.arch}.tar`);
  if (existsSync(file)) return file;
  const dir = mkdtempSync(join(CACHE, "rootfs-"));
  try {
    const include = `--include=${NODE_LIBRARIES}`;
    execFileSync("debootstrap", ["--variant=minbase", include, suite, dir], {
      stdio: ["ignore", 2, 2],
    });
    for (const path of ["var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"])
      rmSync(join(dir, path), { recursive: true, force: true });
    execFileSync("tar", ["-C", dir, "--one-file-system", "-cf", `${file}.part`, "."]);
    renameSync(`${file}.part`, file);
  } finally {
    rmSync(dir, { recursive: true });
  }
  return file;
}

/** That of this machine, because programs and libraries of packages are taken from here. */
function hostSuite(): string {
  const [, suite] =
    /^VERSION_CODENAME="?(\w+)/m.exec(readFileSync("/etc/os-release", "utf8")) ?? [];
  if (suite === undefined) throw new Error("Cannot make base images: this is not Debian");
  return suite;
}

function buildAll(run: Run, rootfs: string): void {
  const debian = run("from", "scratch");
  run("add", "-q", debian, rootfs, "/");
  run(
    "config",
    "--env",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    debian,
  );
  run("config", "--cmd", JSON.stringify(["bash"]), debian);
  run("commit", "-q", debian, "localhost/debian");
  makeNode(run);
  makeNginx(run);
  makePrometheus(run);
  run("rm", "--all");
}

function makeNode(run: Run): void {
  const image = run("from", "--pull-never", "localhost/debian");
  const node = nodeBinary("26");
  if (node === undefined) throw new Error("Cannot find Node: run npm ci");
  run("copy", "-q", image, node, "/usr/local/bin/node");
  run("copy", "-q", image, findNpm(), "/usr/local/lib/node_modules/npm");
  run(
    "run",
    image,
    "--",
    "ln",
    "-s",
    "../lib/node_modules/npm/bin/npm-cli.js",
    "/usr/local/bin/npm",
  );
  run("run", image, "--", "chmod", "755", "/usr/local/lib/node_modules/npm/bin/npm-cli.js");
  run("run", image, "--", "useradd", "--uid", "1000", "--create-home", "node");
  run("config", "--env", `NODE_VERSION=${pinnedVersion().slice(1)}`, "--cmd", `["node"]`, image);
  run("commit", "-q", image, IMAGES.node);
}

function makeNginx(run: Run): void {
  const image = run("from", "--pull-never", "localhost/debian");
  addFiles(run, image, [...programFiles(PROGRAMS.nginx), "/etc/nginx/mime.types"]);
  run("run", image, "--", "useradd", "--system", "--uid", "101", "--no-create-home", "nginx");
  run("run", image, "--", "mkdir", "-p", "/etc/nginx/conf.d", "/var/log/nginx", "/var/lib/nginx");
  // Opened before the configuration is read.
  run("run", image, "--", "ln", "-s", "/dev/stderr", "/var/log/nginx/error.log");
  addText(run, image, { path: "/etc/nginx/nginx.conf", text: NGINX_CONF });
  run("config", "--user", "101", "--stop-signal", "SIGQUIT", "--port", "8080", image);
  run("config", "--cmd", JSON.stringify(["nginx", "-g", "daemon off;"]), image);
  run("commit", "-q", image, IMAGES.nginx);
}

function makePrometheus(run: Run): void {
  const image = run("from", "--pull-never", "localhost/debian");
  addFiles(run, image, programFiles(PROGRAMS.prometheus));
  run("run", image, "--", "ln", "-sf", "busybox", "/usr/bin/wget");
  run("run", image, "--", "install", "-d", "-o", "65534", "-g", "65534", "/prometheus");
  run("config", "--user", "65534", "--workingdir", "/prometheus", "--port", "9090", image);
  run("config", "--entrypoint", JSON.stringify(["/bin/prometheus"]), image);
  const flags = ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"];
  run("config", "--cmd", JSON.stringify(flags), image);
  run("commit", "-q", image, IMAGES.prometheus);
}

function addFiles(run: Run, image: string, files: readonly string[]): void {
  const dir = mkdtempSync("/tmp/or-files-");
  try {
    const tar = join(dir, "files.tar");
    const input = files.join("\n");
    execFileSync("tar", ["-C", "/", "-cf", tar, "--no-recursion", "-T", "-"], {
      input,
      stdio: ["pipe", "ignore", "ignore"],
    });
    run("add", "-q", image, tar, "/");
  } finally {
    rmSync(dir, { recursive: true });
  }
}

interface TextFile {
  readonly path: string;
  readonly text: string;
}

function addText(run: Run, image: string, { path, text }: TextFile): void {
  const dir = mkdtempSync("/tmp/or-files-");
  try {
    writeFileSync(join(dir, "file"), text);
    run("copy", "-q", image, join(dir, "file"), path);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The npm of this machine: the Node of `npm ci` comes without one. */
function findNpm(): string {
  const npm = execFileSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).trim();
  return dirname(dirname(realpathSync(npm)));
}

if (import.meta.main) console.log(await makeBaseImages());
