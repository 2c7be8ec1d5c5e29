// npm's ws as the peer of websocket_echo: `node_peer.js client PORT`, or `node_peer.js server`.
'use strict';
const assert = require('node:assert');
const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');

const PROTOCOL = 'nyamesh.v1';
const LIMIT = 1 << 20;

function* messages() {
  for (const size of [0, 1, 125, 126, 65535, 65536, 200000]) {
    yield 'x'.repeat(size);
    yield Buffer.alloc(size, 0xfe);
  }
  yield 'nya \u{1f431} \u03ba';
}

async function client(port) {
  const options = { perMessageDeflate: false };
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, PROTOCOL, options);
  const answers = [];
  const wanted = [...messages(), 'in fragments'];
  const all = new Promise((resolve) => {
    socket.on('message', (data, isBinary) => {
      answers.push(isBinary ? data : data.toString());
      if (answers.length === wanted.length) resolve();
    });
  });
  await once(socket, 'open');
  assert.strictEqual(socket.protocol, PROTOCOL);
  for (const message of messages()) socket.send(message);
  socket.send('in ', { fin: false });
  socket.send('fragments', { fin: true });
  await all;
  assert.deepStrictEqual(answers, wanted);
  socket.ping('payload');
  const [pong] = await once(socket, 'pong');
  assert.strictEqual(pong.toString(), 'payload');
  socket.close(1000, 'done');
  const [code] = await once(socket, 'close');
  assert.strictEqual(code, 1000);

  const foreign = new WebSocket(`ws://127.0.0.1:${port}`, 'chat', options);
  const [error] = await once(foreign, 'error').catch((thrown) => [thrown]);
  assert.match(error.message, /400/);

  const large = new WebSocket(`ws://127.0.0.1:${port}`, PROTOCOL, options);
  large.on('error', () => {});
  await once(large, 'open');
  large.send('x'.repeat(LIMIT + 1));
  const [largeCode] = await once(large, 'close');
  assert.strictEqual(largeCode, 1009);
}

function server() {
  const listening = new WebSocketServer({
    host: '127.0.0.1', port: 0, maxPayload: LIMIT,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  listening.on('listening', () => console.log(listening.address().port));
  listening.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
}

if (process.argv[2] === 'client') {
  client(process.argv[3]).then(
    () => process.exit(0),
    (error) => { console.error(error); process.exit(1); });
} else {
  server();
}
