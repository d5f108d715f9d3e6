import { existsSync } from "node:fs";
import { within } from "../../helpers/deadline.ts";
import { request } from "../../helpers/http.ts";
import type { Peer } from "./peer.ts";
import { notesIn, withPlace } from "./scene.ts";

const SERVES_WITHIN_MS = 15_000;

/** Whether a server that was killed with all its processes comes up again on the same path by itself. */
export async function comesUpAgain(peer: Peer): Promise<boolean> {
  return await withPlace({ isRecycling: false }, async (scope, place) => {
    const first = await peer.start(scope, place);
    await first.killAll();
    if (!existsSync(place.socket)) throw new Error("The killed server left no socket file");
    const again = { ...place, notes: notesIn(place.dir, "notes-again") };
    const second = peer.start(scope, again).then(async () => {
      const { status } = await request({ socketPath: place.socket, path: "/again" });
      return status === 200;
    });
    second.catch(() => {});
    return await within(SERVES_WITHIN_MS, second, "the second start").catch(() => false);
  });
}
