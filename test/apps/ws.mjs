import { createServer } from "node:http";
import sirv from "sirv";
import { WebSocketServer } from "ws";
import { parts } from "./told.mjs";

const server = createServer(sirv(`${import.meta.dirname}/public`));
const sockets = new WebSocketServer({ server, path: "/socket" });
sockets.on("connection", (socket, request) => {
  socket.on("message", async (message) => {
    const text = new TextDecoder().decode(message);
    if (text === "ip") return socket.send(request.socket.remoteAddress);
    if (text !== "stream") return socket.send(`hello ${text}`);
    for await (const part of parts()) socket.send(part);
    socket.close();
  });
});
server.listen(process.env.PORT || 3000);
