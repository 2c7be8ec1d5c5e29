#!/usr/bin/env node
// The peer "nats, JetStream" as one end of `nyamesh verify`: a stream (files, the default) per name, which its owner
// reads with an ordered consumer. A message is published until the server has acknowledged it, one after the other so
// that they stay in order; its id lets the server drop what it has already.
import { connect, JSONCodec } from "nats";
import { play } from "./end.mjs";

const json = JSONCodec();
const kTries = 30;
const kPause = 100; // ms between them

play(async (name, url, on_message) => {
  const connection = await connect({ servers: url.slice("ws://".length), name });
  const manager = await connection.jetstreamManager();
  const stream = connection.jetstream();
  await manager.streams.add({ name, subjects: [name] });
  const consumer = await stream.consumers.get(name);
  await consumer.consume({ callback: (message) => on_message(...json.decode(message.data)) });

  async function publish(to, value, msgID, told) {
    for (let i = 1; ; ++i) {
      try {
        return await stream.publish(to, json.encode([name, value]), { msgID });
      } catch (error) {
        if (i === kTries) return told(error.message);
        await new Promise((resolve) => setTimeout(resolve, kPause));
      }
    }
  }
  let last = Promise.resolve();
  let number = 0;
  return {
    send(to, value, told) {
      const id = `${name} ${++number}`;
      last = last.then(() => publish(to, value, id, told));
    },
    close: () => connection.close(),
  };
});
