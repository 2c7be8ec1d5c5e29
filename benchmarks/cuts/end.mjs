// What the peers' ends have in common: they take the words that `nyamesh verify` gives its ends, and say the same lines
// (apps/nyamesh/verify_end.cpp has their list). A peer brings one function:
//
//   connect(name, url, on_message)   resolves once the hub knows `name`, to
//     { send(to, value, told), close() }
//
// which is how a user of it would write a message to somebody. `told(reason)` is for what the peer tells its sender of
// a message that did not arrive; whatever `send` throws counts as that, too.
import { createInterface } from "node:readline";

const kAskAgain = 500; // ms: whether all has been handled
const kPatience = 60_000;

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

// Of the system's steady clock, which the other processes read, too.
const now = () => Number(process.hrtime.bigint()) / 1e6;

function read_words() {
  const words = {};
  for (let i = 3; i + 1 < process.argv.length; i += 2) words[process.argv[i].slice(2)] = process.argv[i + 1];
  return words;
}

export async function play(connect) {
  const words = read_words();
  let answered = () => {};

  const peer = await connect(words.name, words.hub, (from, value) => {
    if ("n" in value) say({ got: value.n, ms: now() });
    if ("done" in value) send(from, { answer: value.done });
    if ("answer" in value) answered();
  });

  function send(to, value) {
    const told = (reason) => "n" in value && say({ unconfirmed: value.n, reason: String(reason) });
    try {
      peer.send(to, value, told);
    } catch (error) {
      if ("n" in value) say({ refused: value.n, reason: String(error.message) });
    }
  }

  // The rate is the point: late ones are made up for.
  function send_all() {
    const began = now();
    let next = 0;
    const step = () => {
      while (next < words.messages && now() >= began + (next * 1000) / words.rate) send(words.to, { n: next++ });
      if (next < words.messages) setTimeout(step, 1);
      else ask();
    };
    step();
  }

  // In order behind all the others; asked again, as the question may get lost like anything else.
  function ask() {
    const end = (reason) => {
      clearInterval(asking);
      clearTimeout(patience);
      answered = () => {};
      say({ done: true, reason });
    };
    let asked = 0;
    answered = () => end("");
    const asking = setInterval(() => send(words.to, { done: ++asked }), kAskAgain);
    const patience = setTimeout(() => end("no answer"), kPatience);
    send(words.to, { done: asked });
  }

  say({ ready: true });
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => line === "go" && send_all());
  lines.on("close", async () => {
    await peer.close();
    process.exit(0);
  });
}
