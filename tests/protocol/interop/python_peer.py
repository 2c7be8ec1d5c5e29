"""python3-websockets as the peer of websocket_echo: `python_peer.py client PORT`, or `python_peer.py server`."""
import asyncio
import sys

import websockets

PROTOCOL = "nyamesh.v1"
LIMIT = 1 << 20


def messages():
    for size in (0, 1, 125, 126, 65535, 65536, 200000):
        yield "x" * size
        yield b"\xfe" * size
    yield "nya \U0001f431 \u03ba"


async def client(port):
    async with websockets.connect(f"ws://127.0.0.1:{port}", subprotocols=[PROTOCOL], max_size=LIMIT,
                                  compression=None) as socket:
        assert socket.subprotocol == PROTOCOL
        for message in messages():
            await socket.send(message)
        for message in messages():
            assert await socket.recv() == message
        await socket.send(["in ", "three ", "fragments"])
        assert await socket.recv() == "in three fragments"
        await asyncio.wait_for(await socket.ping("payload"), 5)
    assert socket.close_code == 1000, socket.close_code

    for offered in (["chat"], None):
        try:
            await websockets.connect(f"ws://127.0.0.1:{port}", subprotocols=offered)
            raise AssertionError("a foreign subprotocol was taken")
        except websockets.InvalidStatusCode as refused:
            assert refused.status_code == 400, refused.status_code

    socket = await websockets.connect(f"ws://127.0.0.1:{port}", subprotocols=[PROTOCOL], compression=None)
    try:
        await socket.send("x" * (LIMIT + 1))
        await socket.recv()
        raise AssertionError("a message beyond the limit was taken")
    except websockets.ConnectionClosed:
        assert socket.close_code == 1009, socket.close_code


async def echo(socket, path=None):
    async for message in socket:
        await socket.send(message)


async def server():
    async with websockets.serve(echo, "127.0.0.1", 0, subprotocols=[PROTOCOL], max_size=LIMIT) as listening:
        print(listening.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


if sys.argv[1] == "client":
    asyncio.run(asyncio.wait_for(client(sys.argv[2]), 60))
else:
    asyncio.run(server())
