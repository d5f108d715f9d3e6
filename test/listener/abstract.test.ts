import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { AbstractEndpoint } from "../../src/config/config.ts";
import { claimAbstract } from "../../src/listener/abstract.ts";
import type { FilelessListener } from "../../src/listener/fileless.ts";
import { abstractEndpoint } from "../helpers/endpoints.ts";
import { onEnd, type Scope } from "../helpers/scope.ts";
import { serve, talkTo, testListener } from "./listener-suite.ts";

function freshName(): string {
  return `or-test-${randomBytes(6).toString("hex")}`;
}

async function claim(scope: Scope, name: string): Promise<FilelessListener<AbstractEndpoint>> {
  const listener = await claimAbstract(abstractEndpoint(name));
  onEnd(scope, () => listener.close());
  return listener;
}

describe("claimAbstract", () => {
  testListener(async (scope) => {
    const name = freshName();
    return { address: `@${name}`, claim: () => claim(scope, name) };
  });

  it("is written with an @, for people and in the kernel's table", async (t) => {
    const name = freshName();
    const listener = await claim(t, name);
    assert.equal(listener.address, `@${name}`);
    assert.equal(listener.kernelName, `@${name}`);
  });

  it("is bound under its very name, with nothing after it", async (t) => {
    const name = freshName();
    const listener = await claim(t, name);
    await serve(t, listener);
    assert.equal(await talkTo(listener, { path: `\0${name}` }), "hello");
    assert.equal(await talkTo(listener, { path: `\0${name}\0` }), "ECONNREFUSED");
  });

  it("takes a name of 107 bytes", async (t) => {
    const name = `${freshName()}-`.padEnd(107, "x");
    await serve(t, await claim(t, name));
  });
});
