# An intent sent by name to another node, whose handler is a script function.
import time


# Python has no nodes. This is what one would write in their place: a table of nodes by name, each with a table of
# handlers by intent name. One thread, no statistics, no rule that a node's handlers run one at a time.
class Node:
    nodes = {}

    def __init__(self, id):
        self.id = id
        self.handlers = {}
        Node.nodes[id] = self

    def on(self, name, handler):
        self.handlers.setdefault(name, []).append(handler)

    def send(self, to, intent):
        target = Node.nodes.get(to)
        if target is None:
            return False
        for handler in target.handlers.get(intent.name, ()):
            handler(intent, self.id)
        return True

    def close(self):
        del Node.nodes[self.id]


class Intent:
    def __init__(self, name, payload):
        self.name = name
        self.payload = payload


def work(n):
    alice = Node("alice")
    bob = Node("bob")
    count = 0

    def on_tick(intent, sender):
        nonlocal count
        count = count + 1

    bob.on("tick", on_tick)
    tick = Intent("tick", {"text": "hello"})
    i = 0
    while i < n:
        alice.send("bob", tick)
        i = i + 1
    alice.close()
    bob.close()
    return count


work(1000)
start = time.perf_counter()
checksum = work(1000000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
