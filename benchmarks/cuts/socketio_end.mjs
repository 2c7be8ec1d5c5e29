#!/usr/bin/env node
// The peer "socket.io" as one end of `nyamesh verify`. PEER=retries: what is sent is repeated until the server has
// acknowledged it, else all options are at their defaults.
import { io } from "socket.io-client";
import { play } from "./end.mjs";

const retries = process.env.PEER === "retries";

play((name, url, on_message) => {
  const socket = io(url.replace("ws:", "http:"), {
    auth: { name },
    ...(retries ? { retries: 10, ackTimeout: 1000 } : {}),
  });
  socket.on("m", on_message);
  return new Promise((resolve) => {
    socket.once("connect", () =>
      resolve({
        send(to, value, told) {
          if (retries) socket.emit("m", to, value, (error) => error && told(error.message));
          else socket.emit("m", to, value);
        },
        close: () => socket.disconnect(),
      }),
    );
  });
});
