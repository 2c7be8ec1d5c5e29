"""A client of the hub that speaks docs/protocol.md frame by frame, by python3-websockets: without sessions."""

import asyncio
import json
import os
import sys

import processes

try:
    import websockets
except ImportError:  # a Python that is not Debian's, without Debian's packages
    if sys.executable == "/usr/bin/python3":
        raise
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])


class HubClient:
    def __init__(self, socket):
        self.socket = socket

    @staticmethod
    async def open(url, **hello):
        self = HubClient(await websockets.connect(url, subprotocols=["nyamesh.v1"]))
        await self.say(t="hello", **hello)
        return self

    async def say(self, **head):
        await self.socket.send(json.dumps(head, separators=(",", ":")))

    async def next(self, *types):
        """The next frame's head; the next one of these types."""
        while True:
            frame = await asyncio.wait_for(self.socket.recv(), processes.LIMIT)
            head = json.loads(frame.split("\n")[0])
            if not types or head["t"] in types:
                return head

    async def close_code(self):
        """When it is closed."""
        try:
            while True:
                await asyncio.wait_for(self.socket.recv(), processes.LIMIT)
        except websockets.ConnectionClosed:
            return self.socket.close_code

    async def close(self):
        await self.socket.close()
