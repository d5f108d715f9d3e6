import assert from "node:assert/strict";
import { eventually } from "./deadline.ts";
import type { GrpcCalls } from "./grpc-calls.ts";

const DEADLINE_MS = 30_000;

/** Clients that make one short call after the other, of every kind in turn. */
export class GrpcLoad {
  /** Calls that went wrong, and how. */
  readonly failures: string[] = [];
  #answered = 0;
  readonly #ended: Promise<unknown>;
  #isStopped = false;

  /** @param clients On each channel. */
  constructor(channels: readonly GrpcCalls[], clients: number) {
    this.#ended = Promise.all(
      channels.flatMap((calls) => Array.from({ length: clients }, () => this.#run(calls))),
    );
  }

  /** Resolves when so many more calls have gone well. */
  async answers(more: number): Promise<void> {
    const until = this.#answered + more;
    const enough = async (): Promise<true | undefined> => this.#answered >= until || undefined;
    await eventually(DEADLINE_MS, enough, `${more} more calls after: ${this.failures.join(", ")}`);
  }

  /** Lets the calls under way end, and makes no more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #run(calls: GrpcCalls): Promise<void> {
    for (let made = 0; !this.#isStopped; made += 1) {
      try {
        assert.equal(await call(calls, made), "a b");
        this.#answered += 1;
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}

async function call(calls: GrpcCalls, made: number): Promise<string | undefined> {
  switch (made % 4) {
    case 0:
      return (await calls.unary("Hello", "a b")).texts[0]?.slice("hello ".length);
    case 1:
      return await calls.join("a", "b");
    case 2:
      return (await calls.openStream("Split", "a b").end()).texts.join(" ");
    default: {
      const both = calls.openBoth();
      both.say("a b");
      return (await both.end()).texts[0];
    }
  }
}
