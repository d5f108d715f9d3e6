import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IMAGE, openContainers } from "../helpers/containers.ts";
describe("x", () => {
  it("t", async (t) => {
    const c = await openContainers(t);
    console.log(await c.podman(["images"]));
    const id = await c.run([IMAGE, "--help"]);
    console.log(await c.exitCode(id), await c.logs(id));
    const id2 = await c.run([IMAGE]);
    console.log(await c.exitCode(id2), await c.logs(id2));
    console.log(
      await c.podman([
        "run",
        "--rm",
        "--read-only",
        "--entrypoint=bash",
        IMAGE,
        "-c",
        "id; ls -la /run /run/outrigger /app /node_modules; touch /x; pwd",
      ]),
    );
    assert.ok(true);
  });
});
