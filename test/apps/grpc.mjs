import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { parts } from "./told.mjs";

const proto = fileURLToPath(new URL("./calls.proto", import.meta.url));
const { test } = grpc.loadPackageDefinition(loadSync(proto));

const server = new grpc.Server();
server.addService(test.Calls.service, {
  Hello: ({ request, metadata }, callback) => {
    if (request.text === "nobody")
      return callback({ code: grpc.status.NOT_FOUND, details: "There is nobody" });
    const trailer = new grpc.Metadata();
    trailer.set("x-request-id", String(metadata.get("x-request-id")[0]));
    callback(null, { text: `hello ${request.text}` }, trailer);
  },
  Join: (call, callback) => {
    const texts = [];
    call.on("data", ({ text }) => texts.push(text));
    call.on("end", () => callback(null, { text: texts.join(" ") }));
  },
  Split: (call) => {
    for (const text of call.request.text.split(" ")) call.write({ text });
    const trailer = new grpc.Metadata();
    trailer.set("x-words", String(call.request.text.split(" ").length));
    call.end(trailer);
  },
  Echo: (call) => {
    call.on("data", ({ text }) => call.write({ text }));
    call.on("end", () => call.end());
  },
  Wait: async (call) => {
    for await (const text of parts()) call.write({ text });
    call.end();
  },
  Hang: (call) => {
    call.on("cancelled", () =>
      console.log(JSON.stringify({ msg: "cancelled", text: call.request.text })),
    );
  },
});

server.bindAsync(
  `0.0.0.0:${process.env.PORT ?? 50051}`,
  grpc.ServerCredentials.createInsecure(),
  (error, port) => {
    if (error) throw error;
    console.log(`serving on ${port}`);
  },
);
process.on("SIGTERM", () => server.tryShutdown(() => process.exit(0)));
