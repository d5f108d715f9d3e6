import { getRequestIP, H3, serve, serveStatic } from "h3";
import { readFile, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { parts } from "./told.mjs";

const root = `${import.meta.dirname}/public`;
const app = new H3();
app.get("/static/**", (event) =>
  serveStatic(event, {
    getMeta: async (id) => ({ size: (await stat(root + id.slice("/static".length))).size }),
    getContents: (id) => readFile(root + id.slice("/static".length)),
  }),
);
app.get("/hello/:name", (event) => `hello ${event.context.params.name}`);
app.post("/json", async (event) => ({ got: (await event.req.json()).value }));
app.get("/stream", () => Readable.toWeb(Readable.from(parts()).map((part) => Buffer.from(part))));
app.get("/ip", (event) => getRequestIP(event, { xForwardedFor: true }));

serve(app, { port: process.env.PORT || 3000, silent: true });
