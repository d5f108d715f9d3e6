// What TypeScript makes of decorators, written out.
import "reflect-metadata";
import { Controller, Get, Ip, Module, Post, Body, Param, Res } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Readable } from "node:stream";
import { parts } from "./told.mjs";

class AppController {
  hello(name) {
    return `hello ${name}`;
  }
  json({ value }) {
    return { got: value };
  }
  stream(res) {
    Readable.from(parts()).pipe(res);
  }
  ip(address) {
    return address;
  }
}
const routes = {
  hello: [Get("/hello/:name"), Param("name")],
  json: [Post("/json"), Body()],
  stream: [Get("/stream"), Res()],
  ip: [Get("/ip"), Ip()],
};
for (const [name, [route, argument]] of Object.entries(routes)) {
  argument(AppController.prototype, name, 0);
  route(AppController.prototype, name, Object.getOwnPropertyDescriptor(AppController.prototype, name)); // prettier-ignore
}
Controller()(AppController);
class AppModule {}
Module({ controllers: [AppController] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
app.set("trust proxy", true);
app.useStaticAssets(`${import.meta.dirname}/public`, { prefix: "/static/" });
app.enableShutdownHooks();
await app.listen(process.env.PORT || 3000);
