const express = require("express");
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { parts } = require("./told.mjs");

const app = express();
app.use("/static", express.static(`${__dirname}/public`));
const server = createServer(app);
const io = new Server(server);
io.on("connection", (socket) => {
  socket.on("hello", (name, answer) => answer(`hello ${name}`));
  socket.on("ip", (answer) => answer(socket.handshake.address));
  socket.on("stream", async () => {
    for await (const part of parts()) socket.emit("part", part);
    socket.disconnect();
  });
});
server.listen(process.env.PORT || 3000);
process.on("SIGTERM", () => io.close(() => process.exit(0)));
