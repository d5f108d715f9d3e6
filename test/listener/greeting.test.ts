import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatGreeting, parseGreeting, type Greeting } from "../../src/listener/greeting.ts";

const GREETING: Greeting = {
  pid: 4711,
  state: "ready",
  id: "0123456789abcdef0123456789abcdef",
  endpoints: 3,
  unix: 2,
  opsPort: 9464,
  probePort: 9465,
};

describe("parseGreeting", () => {
  it("reads what formatGreeting writes", () => {
    for (const opsPort of [9464, undefined]) {
      for (const probePort of [9465, undefined]) {
        const greeting = { ...GREETING, opsPort, probePort };
        assert.deepEqual(parseGreeting(formatGreeting(greeting)), greeting);
      }
    }
  });

  it("passes over what a later version may add", () => {
    assert.deepEqual(parseGreeting(`${formatGreeting(GREETING)} new=thing flag =`), GREETING);
  });

  const line = formatGreeting(GREETING);
  for (const strange of [
    undefined,
    "",
    "4711",
    line.replace("outrigger/1", "outrigger/2"),
    line.replace("outrigger/1", "nginx/1"),
    line.replace("pid=4711", "pid=47111111"),
    line.replace("pid=4711", "pid=-1"),
    line.replace("pid=4711 ", ""),
    line.replace("state=ready", "state=happy"),
    line.replace("id=0", "id=x"),
    line.replace("endpoints=3", "endpoints="),
  ]) {
    it(`takes nothing from ${JSON.stringify(strange)}`, () =>
      assert.equal(parseGreeting(strange), undefined));
  }
});
