import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { stream } from "hono/streaming";
import { parts } from "./told.mjs";

const app = new Hono();
app.use("/static/*", serveStatic({ root: import.meta.dirname, rewriteRequestPath: (path) => path.replace("/static", "/public") })); // prettier-ignore
app.get("/hello/:name", (c) => c.text(`hello ${c.req.param("name")}`));
app.post("/json", async (c) => c.json({ got: (await c.req.json()).value }));
app.get("/stream", (c) =>
  stream(c, async (out) => {
    for await (const part of parts()) await out.write(part);
  }),
);
app.get("/ip", (c) => c.text(getConnInfo(c).remote.address));

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT || 3000) });
process.on("SIGTERM", () => server.close(() => process.exit(0)));
