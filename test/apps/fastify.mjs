import Fastify from "fastify";
import fastifyStatic from "@fastify/static";
import { Readable } from "node:stream";
import { parts } from "./told.mjs";

const fastify = Fastify({ trustProxy: true });
fastify.register(fastifyStatic, { root: `${import.meta.dirname}/public`, prefix: "/static/" });
fastify.get("/hello/:name", (request) => `hello ${request.params.name}`);
fastify.post("/json", (request) => ({ got: request.body.value }));
fastify.get("/stream", (request, reply) => reply.send(Readable.from(parts())));
fastify.get("/ip", (request) => request.ip);

// Its default host is localhost, where it listens on every address there is.
await fastify.listen({ port: Number(process.env.PORT || 3000) });
process.on("SIGTERM", () => fastify.close().then(() => process.exit(0)));
