import { initTRPC } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { createServer } from "node:http";
import sirv from "sirv";
import { parts } from "./told.mjs";

const t = initTRPC.context().create();
const text = (value) => {
  if (typeof value !== "string") throw new TypeError("expected a text");
  return value;
};
const procedures = createHTTPHandler({
  basePath: "/trpc/",
  createContext: ({ req }) => ({ address: req.socket.remoteAddress }),
  router: t.router({
    hello: t.procedure.input(text).query(({ input }) => `hello ${input}`),
    json: t.procedure.input(({ value }) => value).mutation(({ input }) => ({ got: input })),
    stream: t.procedure.subscription(() => parts()),
    ip: t.procedure.query(({ ctx }) => ctx.address),
  }),
});
const files = sirv(`${import.meta.dirname}/public`);
createServer((req, res) => {
  if (req.url.startsWith("/trpc/")) procedures(req, res);
  else files(req, res);
}).listen(Number(process.env.PORT || 3000));
