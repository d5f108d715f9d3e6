import { initTRPC } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { parts } from "./told.mjs";

const t = initTRPC.context().create();
const text = (value) => {
  if (typeof value !== "string") throw new TypeError("expected a text");
  return value;
};
createHTTPServer({
  createContext: ({ req }) => ({ address: req.socket.remoteAddress }),
  router: t.router({
    hello: t.procedure.input(text).query(({ input }) => `hello ${input}`),
    json: t.procedure.input(({ value }) => value).mutation(({ input }) => ({ got: input })),
    stream: t.procedure.subscription(() => parts()),
    ip: t.procedure.query(({ ctx }) => ctx.address),
  }),
}).listen(Number(process.env.PORT || 3000));
