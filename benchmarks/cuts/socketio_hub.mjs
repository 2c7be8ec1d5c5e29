#!/usr/bin/env node
// The peer "socket.io" in the place of `nyamesh hub`: private messages as its documentation does them, each client in a
// room of its own name, all options at their defaults. PEER=recovery: with its connection state recovery.
import { createServer } from "node:http";
import { Server } from "socket.io";

const address = process.argv[process.argv.indexOf("--listen") + 1];
const http = createServer();
const io = new Server(http, process.env.PEER === "plain" ? {} : { connectionStateRecovery: {} });

io.on("connection", (socket) => {
  const name = socket.handshake.auth.name;
  if (!socket.recovered) socket.join(name);
  socket.on("m", (to, value, taken) => {
    io.to(to).emit("m", name, value);
    taken?.();
  });
});

http.listen(Number(address.split(":")[1]), "127.0.0.1", () => console.log(`ws://127.0.0.1:${http.address().port}`));
