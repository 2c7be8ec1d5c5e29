#!/usr/bin/env node
// The peer "nats" as one end of `nyamesh verify`: a subject per name, all options at their defaults.
import { connect, JSONCodec } from "nats";
import { play } from "./end.mjs";

const json = JSONCodec();

play(async (name, url, on_message) => {
  const connection = await connect({ servers: url.slice("ws://".length), name });
  connection.subscribe(name, { callback: (error, message) => error || on_message(...json.decode(message.data)) });
  await connection.flush(); // the server knows of the subscription
  return {
    send: (to, value) => connection.publish(to, json.encode([name, value])),
    close: () => connection.close(),
  };
});
