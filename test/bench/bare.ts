/** What Outrigger is compared with: node:http on a Unix socket and nothing else. `node bare.ts PATH` */
import { createServer } from "node:http";
import app from "./app.ts";

const [, , path] = process.argv;
const server = createServer(app).listen({ path, backlog: 4096 });

process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
