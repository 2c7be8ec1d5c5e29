"""In-process nodes behind gateways, in up to four processes: each message arrives once.

    test_gateways.py NYASH SMALL_HUB
"""
import sys

from processes import Meeting

# One process: a gateway and an in-process node, which hears `hello` and counts. `report` asks for the counts.
MEMBER = """
gate = new P2PBox("gate-NAME", "websocket", { gateway: true })
NAME = new P2PBox("NAME")
counts = {}
NAME.on("hello", function(intent, from) { counts.set(from, 1 + number(counts.get(from))) })
NAME.on("report", function(intent, from) { return counts.toJSON() })
NAME.on("greet", function(intent, from) {
    intent.payload.forEach(function(other) {
        if other != "NAME" { NAME.send(other, new IntentBox("hello", null), { wait: "handled" }) }
    })
    return "greeted"
})
function number(n) { if n == null { return 0 }  return n }
gate.on("end", function(intent, from) { gate.close() })
gate.onState(function(state, problem) { print(state) })
"""


def inside_out(nyash, small_hub):
    """An in-process node reaches, and is reached from, another process."""
    with Meeting(nyash, small_hub) as meeting:
        outer = meeting.script("""
outer = new P2PBox("outer", "websocket")
outer.onState(function(state, problem) { print(state) })
outer.on("ask", function(intent, from) { return "asked by " + from })
outer.on("go", function(intent, from) {
    print(outer.request("inner", new IntentBox("ask", null)))
    outer.send("inner", "end:")
    outer.close()
})
""")
        outer.expect("connected")
        inner = meeting.script("""
gate = new P2PBox("gate", "websocket", { gateway: true })
inner = new P2PBox("inner")
inner.on("ask", function(intent, from) { return "asked by " + from })
inner.on("end", function(intent, from) { gate.close() })
print(inner.request("outer", new IntentBox("ask", null)))
print(inner.send("outer", new IntentBox("go", null)))
""")
        inner.expect("Ok(asked by inner)", "Ok(true)")
        outer.expect("Ok(asked by outer)")
        assert inner.exit_status() == 0, inner.history()
        assert outer.exit_status() == 0, outer.history()


def no_loops(nyash, small_hub, names):
    """Everybody greets everybody: each hears each other exactly once, however many gateways there are."""
    with Meeting(nyash, small_hub) as meeting:
        members = {name: meeting.script(MEMBER.replace("NAME", name)) for name in names}
        for member in members.values():
            member.expect("connected")
        everybody = "[" + ", ".join(f'"{name}"' for name in names) + "]"
        asking = meeting.script(f"""
asker = new P2PBox("asker", "websocket")
everybody = {everybody}
everybody.forEach(function(name) {{ print(asker.request(name, new IntentBox("greet", everybody))) }})
everybody.forEach(function(name) {{
    counts = new JSONBox(asker.request(name, "report:").getValue())
    text = name
    everybody.forEach(function(other) {{ if other != name {{ text = text + " " + counts.get(other) }} }})
    print(text)
}})
everybody.forEach(function(name) {{ asker.send("gate-" + name, "end:") }})
asker.close()
""")
        asking.expect(*["Ok(greeted)"] * len(names))
        asking.expect(*[name + " 1" * (len(names) - 1) for name in names])
        assert asking.exit_status() == 0, asking.history()
        for member in members.values():
            assert member.exit_status() == 0, member.history()


if __name__ == "__main__":
    inside_out(*sys.argv[1:])
    no_loops(*sys.argv[1:], ["mio", "kuro"])
    no_loops(*sys.argv[1:], ["mio", "kuro", "tama", "sora"])
    print("gateways work")
