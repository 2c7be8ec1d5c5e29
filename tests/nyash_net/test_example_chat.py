"""The chat of the examples, in two processes.   test_example_chat.py NYASH SMALL_HUB"""
import os
import sys

from processes import Meeting

CHAT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/over_a_hub/chat.nyash")

with Meeting(*sys.argv[1:]) as meeting:
    mio = meeting.file(CHAT, "mio", "kuro")
    mio.expect("(connected)")
    mio.say("Is anybody awake?")
    mio.expect("(kuro does not hear you: NodeNotFound)")
    kuro = meeting.file(CHAT, "kuro", "mio")
    kuro.expect("(connected)")
    kuro.say("Now I am.")
    mio.expect("kuro: Now I am.")
    mio.say("Good night, then.")
    kuro.expect("mio: Good night, then.")
    mio.say("")
    kuro.expect("(mio has left)")
    kuro.say("")
    assert mio.exit_status() == 0 and mio.errors == [], mio.history()
    assert kuro.exit_status() == 0 and kuro.errors == [], kuro.history()
print("mio and kuro have talked")
