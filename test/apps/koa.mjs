import Koa from "koa";
import bodyParser from "koa-bodyparser";
import serve from "koa-static";
import { Readable } from "node:stream";
import { parts } from "./told.mjs";

const app = new Koa({ proxy: true });
app.use(bodyParser());
app.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/static/")) return await next();
  ctx.path = ctx.path.slice("/static".length);
  await serve(`${import.meta.dirname}/public`)(ctx, next);
});
app.use(async (ctx) => {
  if (ctx.path.startsWith("/hello/")) ctx.body = `hello ${ctx.path.slice("/hello/".length)}`;
  else if (ctx.path === "/json") ctx.body = { got: ctx.request.body.value };
  else if (ctx.path === "/stream") ctx.body = Readable.from(parts());
  else if (ctx.path === "/ip") ctx.body = ctx.ip;
});
app.listen(process.env.PORT || 3000);
