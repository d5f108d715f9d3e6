import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serveEveryEndpoint, type EveryEndpoint } from "../helpers/every-endpoint.ts";
import { HTTP1_FLOODS, HTTP2_FLOODS, type Flood } from "../helpers/floods.ts";
import { needs } from "../helpers/needs.ts";
import { flood, type Way } from "../helpers/talk.ts";
import {
  assertServed,
  assertUnharmed,
  countDescriptors,
  descriptorsBack,
  memoryBack,
  settled,
} from "../helpers/unharmed.ts";

/** Sent at once. */
const BURST = 500;
/** What is cut only after that is as good as not cut. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Floods may leave behind less than a byte of each of their frames. */
const LEFT_BYTES = 1_000_000;

/** Sends until the connection is closed; resolves with the bytes that took. */
async function drown(way: Way, { begin, each }: Flood): Promise<number> {
  let sent = 0;
  return await flood(way, {
    begin,
    next: () => Buffer.concat(Array.from({ length: BURST }, () => each(sent++))),
    mostBytes: MOST_BYTES,
  });
}

for (const [version, alpn, floods] of [
  ["HTTP/1.1", "http/1.1", HTTP1_FLOODS],
  ["HTTP/2", "h2", HTTP2_FLOODS],
] as const) {
  describe(`a flood of ${version}`, { concurrency: true, ...needs("openssl", "perl") }, () => {
    it("is cut at every endpoint, whoever sends it, and others are served", async (t) => {
      const served = await serveEveryEndpoint(t, { alpn });
      await assertUnharmed(served);
      const descriptors = await countDescriptors(served);
      const [first, ...others] = served.ways;
      assert.ok(first !== undefined);
      // What is only loaded when it is needed is no leak.
      await drownAll(served, [first]);
      const memory = await served.memory();
      await drownAll(served, others);
      await assertUnharmed(served);
      await descriptorsBack(served, descriptors);
      await memoryBack(served, memory, LEFT_BYTES);
    });

    async function drownAll(served: EveryEndpoint, ways: readonly Way[]): Promise<void> {
      for (const [what, each] of Object.entries(floods)) {
        const drowning = ways.map((way) =>
          drown(way, each).catch((cause: unknown) => {
            throw new Error(`${way.name}: ${what}`, { cause });
          }),
        );
        for (const way of ways.slice(0, 1)) await assertServed(way);
        for (const sent of await Promise.all(drowning)) assert.ok(sent < MOST_BYTES, what);
      }
      await settled(served);
    }

    it("is cut by the ops endpoint", async (t) => {
      const served = await serveEveryEndpoint(t, { alpn });
      const descriptors = await countDescriptors(served);
      for (const each of Object.values(floods))
        assert.ok((await drown(served.opsWay, each)) < MOST_BYTES);
      await assertUnharmed(served);
      await descriptorsBack(served, descriptors);
    });
  });
}
