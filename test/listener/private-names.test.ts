import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { describe, it } from "node:test";
import { choosePrivatePath, isPrivateNameOf } from "../../src/listener/private-names.ts";
import { TEMPORARY_NAME_BYTES } from "../../src/listener/private-name-parts.ts";

describe("choosePrivatePath", () => {
  it("stays in the directory of the public name", () => {
    assert.equal(dirname(choosePrivatePath("/run/app/app.sock")), "/run/app");
    assert.equal(dirname(choosePrivatePath("/app.sock")), "/");
  });

  it("is hidden and as short as promised, whatever the public name is", () => {
    for (const path of ["/run/a", "/run/app.sock", `/run/${"ü".repeat(40)}`]) {
      const name = basename(choosePrivatePath(path));
      assert.match(name, /^\.or[\w-]+$/);
      assert.equal(Buffer.byteLength(name), TEMPORARY_NAME_BYTES);
    }
  });

  it("differs from one call to the next", () => {
    const paths = Array.from({ length: 40 }, () => choosePrivatePath("/run/app.sock"));
    assert.ok(new Set(paths).size > 20);
  });
});

describe("isPrivateNameOf", () => {
  const path = "/run/app/app.sock";

  it("knows the private names of a public one", () => {
    assert.ok(isPrivateNameOf(path, basename(choosePrivatePath(path))));
  });

  it("knows them in whatever directory they are seen", () => {
    assert.ok(isPrivateNameOf("/mnt/app.sock", basename(choosePrivatePath(path))));
  });

  it("knows nothing else", () => {
    const own = basename(choosePrivatePath(path));
    const ofAnother = basename(choosePrivatePath("/run/app/other.sock"));
    for (const name of ["app.sock", ".or", "", `${own}x`, own.slice(0, -1), `x${own}`, ofAnother])
      assert.equal(isPrivateNameOf(path, name), false, name);
  });
});
