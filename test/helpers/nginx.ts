import { once } from "node:events";
import { readFileSync, watch } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { findTool } from "../tools.ts";
import { within } from "./deadline.ts";
import { nginxConf, type NginxConfOptions } from "./nginx-conf.ts";
import { startGroup, type ExitResult, type ProcessGroup } from "./process-group.ts";
import type { Scope } from "./scope.ts";

export interface NginxOptions extends Omit<NginxConfOptions, "dir" | "listen" | "pidFile"> {
  /** A directory of the test; nginx gets one below it. */
  readonly dir: string;
  /** Listens on this Unix socket instead of a free TCP port. */
  readonly listenPath?: string;
  /** (nginx.pid in nginx's own directory) */
  readonly pidFile?: string;
}

const DEADLINE_MS = 10_000;
const ATTEMPTS = 5;

/** Starts a real nginx in front of a Unix socket and resolves when it accepts. */
export async function startNginx(scope: Scope, options: NginxOptions): Promise<Nginx> {
  const dir = join(options.dir, "nginx");
  await mkdir(dir, { recursive: true });
  const pidFile = options.pidFile ?? join(dir, "nginx.pid");
  for (let attempt = 1; ; attempt += 1) {
    const port = options.listenPath === undefined ? await freePort() : 0;
    const listen =
      options.listenPath === undefined ? `127.0.0.1:${port}` : `unix:${options.listenPath}`;
    await writeFile(join(dir, "nginx.conf"), nginxConf({ ...options, dir, listen, pidFile }));
    const nginx = new Nginx(launch(scope, dir), { dir, pidFile, port });
    try {
      await nginx.started();
      return nginx;
    } catch (error) {
      // Somebody else took the port that was free a moment ago.
      const isClash = (await nginx.errorLog()).includes("Address already in use");
      if (!isClash || attempt === ATTEMPTS) throw error;
    }
  }
}

interface NginxPlace {
  readonly dir: string;
  readonly pidFile: string;
  readonly port: number;
}

/** A running nginx. */
export class Nginx {
  /** Port it listens on; 0 on a Unix socket. */
  readonly port: number;
  readonly pidFile: string;
  readonly #dir: string;
  readonly #group: ProcessGroup;
  #stderr = "";

  constructor(group: ProcessGroup, place: NginxPlace) {
    this.#group = group;
    this.#dir = place.dir;
    this.pidFile = place.pidFile;
    this.port = place.port;
    group.stdout.resume();
    group.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
  }

  get pid(): number {
    return this.#group.pid;
  }

  /** Resolves once nginx has written its pid file, which it does after it has begun to listen. */
  async started(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = (): void => {
      if (readPid(this.pidFile) === this.pid) resolve();
    };
    const watcher = watch(dirname(this.pidFile), check);
    check();
    const exited = this.#group.closed.then(async () => {
      throw new Error(`nginx did not start: ${this.#stderr}${await this.errorLog()}`);
    });
    exited.catch(() => {});
    try {
      await within(DEADLINE_MS, Promise.race([promise, exited]), "nginx to start");
    } finally {
      watcher.close();
    }
  }

  errorLog(): Promise<string> {
    return readFile(join(this.#dir, "error.log"), "utf8").catch(() => "");
  }

  /** One line a request: status, status of the upstream, method and target. */
  accessLog(): Promise<string> {
    return readFile(join(this.#dir, "access.log"), "utf8").catch(() => "");
  }

  signal(signal: NodeJS.Signals): void {
    this.#group.signal(signal);
  }

  /** Lets nginx finish its requests; resolves when it is gone. */
  async quit(deadlineMs: number = DEADLINE_MS): Promise<ExitResult> {
    this.signal("SIGQUIT");
    return await this.exit(deadlineMs);
  }

  /** Stops nginx at once; resolves when it is gone. */
  async stop(): Promise<ExitResult> {
    this.signal("SIGTERM");
    return await this.exit();
  }

  exit(deadlineMs: number = DEADLINE_MS): Promise<ExitResult> {
    return within(deadlineMs, this.#group.closed, "nginx to exit");
  }
}

/** A TCP port of 127.0.0.1 that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("Cannot find a free port");
  return address.port;
}

function launch(scope: Scope, dir: string): ProcessGroup {
  const nginx = findTool("nginx");
  if (nginx === undefined) throw new Error("Cannot start nginx: it is not installed");
  return startGroup(scope, nginx, {
    args: ["-p", dir, "-c", join(dir, "nginx.conf"), "-e", join(dir, "error.log")],
  });
}

function readPid(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
