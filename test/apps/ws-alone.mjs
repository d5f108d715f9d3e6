import { WebSocketServer } from "ws";
import { parts } from "./told.mjs";

// Without a server it makes one, which answers requests that are no upgrades with 426.
const sockets = new WebSocketServer({ port: Number(process.env.PORT || 3000) });
sockets.on("connection", (socket, request) => {
  socket.on("message", async (message) => {
    const text = new TextDecoder().decode(message);
    if (text === "ip") return socket.send(request.socket.remoteAddress);
    if (text !== "stream") return socket.send(`hello ${text}`);
    for await (const part of parts()) socket.send(part);
    socket.close();
  });
});
