import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { lookUpGroup, lookUpOwner } from "../../src/listener/ownership.ts";

/** The last entry of passwd(5) or group(5), as a name and its number. */
async function lastOf(table: string): Promise<readonly [string, number]> {
  const [name = "", , number] =
    (await readFile(table, "utf8")).trim().split("\n").at(-1)?.split(":") ?? [];
  return [name, Number(number)];
}

describe("lookUpGroup", () => {
  it("takes a number as it is, whether anybody has it or not", async () => {
    assert.equal(await lookUpGroup("0"), 0);
    assert.equal(await lookUpGroup("4000000000"), 4_000_000_000);
  });

  it("finds a name", async () => {
    const [name, number] = await lastOf("/etc/group");
    assert.equal(await lookUpGroup("root"), 0);
    assert.equal(await lookUpGroup(name), number);
  });

  it("refuses a name nobody has, and says where it looked", async () => {
    await assert.rejects(lookUpGroup("no-such-group"), {
      code: "ERR_LISTEN",
      message:
        'Cannot find group "no-such-group": /etc/group has no such name; give its number instead',
    });
  });

  it("takes no part of a name, and no negative number", async () => {
    for (const group of ["roo", "", "-1", "root:x"])
      await assert.rejects(lookUpGroup(group), { code: "ERR_LISTEN" }, group);
  });
});

describe("lookUpOwner", () => {
  it("finds a name", async () => {
    const [name, number] = await lastOf("/etc/passwd");
    assert.equal(await lookUpOwner("root"), 0);
    assert.equal(await lookUpOwner(name), number);
  });

  it("refuses a name nobody has, and says where it looked", async () => {
    await assert.rejects(
      lookUpOwner("no-such-user"),
      /Cannot find user "no-such-user": \/etc\/passwd/,
    );
  });
});
