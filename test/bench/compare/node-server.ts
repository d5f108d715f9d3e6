/**
 * A worker of node:cluster and of PM2, with the graceful stop their documents recommend: told to
 * shut down it closes the server, which lets requests in flight finish and closes idle connections.
 * It also says goodbye in every answer, which they do not mention: connections that are never idle would
 * otherwise keep it alive until somebody kills it.
 */
import { createServer } from "node:http";
import app from "./app.ts";
import { noteReady } from "./notes.ts";

// As long as nginx needs it; node's own default is shorter than nginx keeps its connections.
const KEEP_ALIVE_MS = 75_000;

let isClosing = false;

const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
  if (isClosing) response.setHeader("connection", "close");
  app(request, response);
});
server.listen(process.env["COMPARE_SOCKET"], () => {
  noteReady(process.env["COMPARE_NOTES"] ?? "/tmp", process.pid);
  // PM2 waits for it.
  process.send?.("ready");
});

const shutDown = (): void => {
  isClosing = true;
  server.close(() => process.exit(0));
};
process.once("SIGINT", shutDown);
process.once("SIGTERM", shutDown);
process.on("message", (message) => {
  if (message === "shutdown") shutDown();
});
