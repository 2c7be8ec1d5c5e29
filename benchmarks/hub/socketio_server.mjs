// The peer "socket.io": private messages as its documentation does them, each client in a room of its own name. Prints
// its port and serves until it is ended.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  const name = socket.handshake.auth.name;
  socket.join(name);
  socket.on("echo", (payload) => socket.emit("echo", payload));
  socket.on("m", (to, payload) => socket.to(to).emit("m", name, payload));
});

http.listen(0, "127.0.0.1", () => console.log(http.address().port));
