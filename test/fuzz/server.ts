import assert from "node:assert/strict";
import { errnoOf } from "../../src/errors.ts";
import { serveEveryEndpoint, type EveryEndpoint } from "../helpers/every-endpoint.ts";
import type { Scope } from "../helpers/scope.ts";
import { talk, type Outcome, type Way } from "../helpers/talk.ts";
import {
  assertUnharmed,
  countDescriptors,
  descriptorsBack,
  memoryBack,
  settled,
  tallyOf,
  type Descriptors,
} from "../helpers/unharmed.ts";
import type { Memory } from "../helpers/every-endpoint.ts";
import { showScript, writeScript, type Script } from "./script.ts";
import { FuzzFailure, type Target } from "./target.ts";

/** Connections open at the same time; the ops endpoint takes 512. */
const AT_ONCE = 150;
/** Between two looks at the whole program. */
const ROUND_MS = 15_000;
/** Above every timeout of the program, and what it waits for who does not hang up. */
const PATIENCE_MS = 9_000;
const LOUD = 40;
/** How long the log may take to tell that a worker has ended. */
const LOG_MS = 1_000;
/** What nobody needs any more is collected at its time. */
const GROWTH_BYTES = 8_000_000;

/** A real program, all of whose endpoints are sent what was made up. */
export const SERVER: Target = {
  name: "server",
  run: async ({ scope, seed: first, cases, forMs }) => {
    const endMs = performance.now() + forMs;
    let fuzzing = await Fuzzing.begin(scope);
    let seed = first;
    const last = first + cases;
    while (seed < last && (seed === first || performance.now() < endMs)) {
      const roundEndMs = Math.min(endMs, performance.now() + ROUND_MS);
      const next = await fuzzing.round({ seed, last, endMs: roundEndMs });
      const left = await fuzzing.leftovers();
      if (left !== undefined) {
        // It takes many, and depends on how they meet: one more run need not show it again.
        console.warn(`Note: after seeds ${seed} to ${next - 1}: ${left}`);
        fuzzing = await Fuzzing.begin(scope);
      }
      seed = next;
    }
    return seed - first;
  },
};

interface Round {
  readonly seed: number;
  readonly last: number;
  readonly endMs: number;
}

class Fuzzing {
  readonly #served: EveryEndpoint;
  readonly #descriptors: Descriptors;
  readonly #memory: Memory;

  private constructor(served: EveryEndpoint, descriptors: Descriptors, memory: Memory) {
    this.#served = served;
    this.#descriptors = descriptors;
    this.#memory = memory;
  }

  static async begin(scope: Scope): Promise<Fuzzing> {
    const served = await serveEveryEndpoint(scope, { alpn: "http/1.1", timeouts: "short" });
    await assertUnharmed(served);
    return new Fuzzing(served, await countDescriptors(served), await served.memory());
  }

  /** Says what the scripts of consecutive seeds say, then looks whether all is well; returns the next seed. */
  async round({ seed, last, endMs }: Round): Promise<number> {
    const before = await settled(this.#served);
    const said: number[] = [];
    const connections = new Map<string, number>();
    let next = seed;
    let isOver = false;
    const work = async (): Promise<void> => {
      while (!isOver && next < last && (next === seed || performance.now() < endMs)) {
        const mine = next++;
        said.push(mine);
        const script = writeScript(mine);
        connections.set(script.way, (connections.get(script.way) ?? 0) + 1);
        await this.#say(script, mine);
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      const after = await this.#served.metrics();
      for (const { name } of this.#served.ways) {
        const { accepted } = tallyOf(after, name);
        const expected = tallyOf(before, name).accepted + (connections.get(name) ?? 0);
        // One that was reset may not have been recognized yet.
        assert.ok(accepted <= expected, `connections of ${name}`);
      }
      await assertUnharmed(this.#served);
    } catch (cause) {
      isOver = true;
      if (cause instanceof FuzzFailure) throw cause;
      throw new FuzzFailure(this.#describe(cause), said, cause);
    }
    return next;
  }

  /** What the program complains of says more than what a client sees of it. */
  #describe(cause: unknown): string {
    const [loud] = this.#served.program.lines.filter(({ level }) => Number(level) >= LOUD);
    if (loud !== undefined) return JSON.stringify(loud);
    return cause instanceof Error ? cause.message : String(cause);
  }

  /** What does not come back once nobody is connected any more. */
  async leftovers(): Promise<string | undefined> {
    try {
      await settled(this.#served);
      await descriptorsBack(this.#served, this.#descriptors);
      await memoryBack(this.#served, this.#memory, GROWTH_BYTES);
      return undefined;
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause);
    }
  }

  async #say(script: Script, seed: number): Promise<void> {
    const way = this.#wayOf(script);
    // A response of HTTP/2 may wait for a window that never opens.
    const patience = script.version === "2" ? { patienceMs: PATIENCE_MS } : {};
    try {
      const outcome = await talk(way, { ...script, ...patience, deadlineMs: 3 * PATIENCE_MS });
      assertAnswered(script, outcome);
    } catch (cause) {
      // Whoever ended the worker, it need not be this one.
      if (await this.#hasWorkerGone()) throw cause;
      // A handshake that is refused, or takes too long, is an end as good as any.
      if (errnoOf(cause) === "ECONNRESET") return;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new FuzzFailure(`${reason}\n${showScript(script)}`, [seed], cause);
    }
  }

  async #hasWorkerGone(): Promise<boolean> {
    const line = this.#served.program.line("worker exited", LOG_MS);
    return await line.then(
      () => true,
      () => false,
    );
  }

  #wayOf({ way: name, alpn }: Script): Way {
    const way = [...this.#served.ways, this.#served.opsWay].find((each) => each.name === name);
    if (way === undefined) throw new TypeError(`No endpoint ${name}`);
    const { target } = way;
    return alpn === undefined ? { name, target } : { name, target, alpn };
  }
}

/** Nothing that a client sends is an error of the server. */
function assertAnswered({ alpn, way }: Script, { received }: Outcome): void {
  const text = received.toString("latin1");
  assert.ok(!/HTTP\/1\.1 500 /.test(text), "500");
  if (way === "tls" && alpn === undefined) return;
  const isKnown = received.length === 0 || text.startsWith("HTTP/1.1 ") || received[3] === 4;
  assert.ok(isKnown, `An answer that is none: ${JSON.stringify(text.slice(0, 100))}`);
}
