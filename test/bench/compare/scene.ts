import { mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../helpers/deadline.ts";
import { startNginx, type Nginx } from "../../helpers/nginx.ts";
import type { Scope } from "../../helpers/scope.ts";
import { Client } from "./client.ts";
import type { Peer, Place, RunningPeer } from "./peer.ts";

const ANSWERS_WITHIN_MS = 30_000;
const WARM_UP_ANSWERS = 300;
const KEPT_CONNECTIONS = 32;

/** A server behind nginx under load. */
export interface Scene {
  readonly scope: Scope;
  readonly place: Place;
  readonly running: RunningPeer;
  readonly nginx: Nginx;
  readonly client: Client;
}

export interface SceneOptions {
  readonly isRecycling: boolean;
}

/** Calls `use` with a server that answers under load; everything is gone when it returns. */
export async function withScene<T>(
  peer: Peer,
  options: SceneOptions,
  use: (scene: Scene) => Promise<T>,
): Promise<T> {
  return await withPlace(options, async (scope, place) => {
    const running = await peer.start(scope, place);
    const nginx = await startNginx(scope, {
      dir: place.dir,
      socket: place.socket,
      keepalive: KEPT_CONNECTIONS,
      // Otherwise a body that arrives slowly would wait in nginx, and the server would never see one.
      proxyRequestBuffering: "off",
    });
    const client = new Client(nginx.port);
    try {
      await answers(client, WARM_UP_ANSWERS);
      return await use({ scope, place, running, nginx, client });
    } finally {
      await client.end();
    }
  });
}

/** Calls `use` with a directory for one server and a scope that ends when it returns. */
export async function withPlace<T>(
  { isRecycling }: SceneOptions,
  use: (scope: Scope, place: Place) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  // Not os.tmpdir(): a Unix socket's path must stay short.
  const dir = mkdtempSync("/tmp/or-compare-");
  stack.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }));
  const scope: Scope = { after: (cleanup) => stack.defer(cleanup) };
  return await use(scope, {
    dir,
    socket: join(dir, "app.sock"),
    notes: notesIn(dir, "notes"),
    isRecycling,
  });
}

/** Makes a directory for notes. */
export function notesIn(dir: string, name: string): string {
  const notes = join(dir, name);
  mkdirSync(notes);
  return notes;
}

/** Resolves when `more` requests from now on were answered. */
export async function answers(client: Client, more: number): Promise<void> {
  const wanted = client.answered + more;
  await eventually(
    ANSWERS_WITHIN_MS,
    () => client.answered >= wanted || undefined,
    `${more} answers under load`,
  );
}
