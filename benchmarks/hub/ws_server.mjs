// The peer "ws": npm's WebSocket library with the few lines that make it echo or relay. GET /echo and GET /relay/NAME
// are described in dialects.cpp. Prints its port and serves until it is ended.
import { WebSocketServer } from "ws";

const names = new Map();
const lineFeed = 10;

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });

server.on("connection", (socket, request) => {
  socket.on("error", () => {});
  if (request.url === "/echo") {
    socket.on("message", (data) => socket.send(data, { binary: false }));
    return;
  }
  const name = request.url.slice("/relay/".length);
  names.set(name, socket);
  socket.on("close", () => names.delete(name));
  socket.on("message", (data) => {
    const to = data.latin1Slice(0, data.indexOf(lineFeed));
    names.get(to)?.send(data, { binary: false });
  });
});

server.on("listening", () => console.log(server.address().port));
