"""A session with nyash on a pseudo terminal.   test_session.py NYASH"""
import os
import stat
import sys
import tempfile

from terminal import Terminal

NYASH = os.path.abspath(sys.argv[1])
PROMPT, MORE = "nyash> ", "  ...> "
TAB, CTRL_C, CTRL_D, UP = "\t", "\x03", "\x04", "\x1b[A"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"wanted {wanted!r}, got {got!r}")


def session(state, **env):
    terminal = Terminal([NYASH], {"XDG_STATE_HOME": state, "HOME": state, **env})
    terminal.expect(PROMPT)
    return terminal


def answer(terminal, line):
    """What the session shows for one line."""
    terminal.type(line + "\r")
    terminal.expect("\n")  # the end of the line's echo
    return terminal.expect(PROMPT).strip("\n")


def values_and_variables(state):
    t = session(state)
    same(answer(t, "1 + 2"), "3")  # the value of an expression
    same(answer(t, "x = 3"), "")  # an assignment shows nothing
    same(answer(t, "local y = 4"), "")  # a local shows nothing
    same(answer(t, "x * y"), "12")  # both variables are still there
    same(answer(t, "null"), "null")  # null is a value
    same(answer(t, 'print("once")'), "once")  # void is not shown
    same(answer(t, '"ねこ" + "!"'), "ねこ!")  # text beyond ASCII
    same(answer(t, ":type [1]"), "ArrayBox")  # :type
    globals_ = answer(t, ":globals")
    check("x = 3\ny = 4" in globals_ and "isType" not in globals_, ":globals: " + globals_)
    check("Ctrl-C" in answer(t, ":help"), ":help")
    t.type("exit\r")
    check(t.exit_status() == 0, "exit leaves")


def several_lines(state):
    t = session(state)
    t.type("box Cat {\r")
    t.expect(MORE)
    t.type("init { name }\r")
    t.expect(MORE)
    t.type("birth(n) { me.name = n }\r")
    t.expect(MORE)
    t.type('speak() { return me.name + " says meow" }\r')
    t.expect(MORE)
    same(answer(t, "}"), "")  # a box of several lines
    same(answer(t, 'new Cat("Mio").speak()'), "Mio says meow")  # the box works
    t.type("1 +\r")
    t.expect(MORE)
    same(answer(t, "2"), "3")  # an expression goes on after an operator
    t.type("f(\r")
    t.expect(MORE)
    t.type("\r")
    t.expect(MORE)
    check("error:" in answer(t, ""), "two empty lines give up")
    same(answer(t, "7"), "7")  # and the session goes on
    t.type(CTRL_D)
    check(t.exit_status() == 0, "Ctrl-D leaves")


def completion(state):
    t = session(state)
    answer(t, "shopping = [1, 2]")
    same(answer(t, "shop" + TAB + ".pu" + TAB + "(3)"), "[1, 2, 3]")  # a name, and a method
    same(answer(t, "new MapB" + TAB + "().size()"), "0")  # a box after new
    t.type("shopping." + TAB)
    check("forEach" in t.expect("toString"), "several candidates are listed")
    t.type(CTRL_C)
    t.expect("^C")
    t.expect(PROMPT)
    answer(t, "box Tea { init { leaves } steep() { return 3 } }")
    answer(t, "tea = new Tea()")
    same(answer(t, "tea.ste" + TAB + "()"), "3")  # a method of a box of one's own
    t.type(CTRL_D)
    check(t.exit_status() == 0, "Ctrl-D leaves")


def errors(state):
    t = session(state)
    answer(t, "total = 1")
    t.type("print(totl)\r")
    t.expect("\x1b[1;31merror:")  # in colour
    shown = t.expect(PROMPT)
    check("Undefined variable 'totl'" in shown and "^^^^" in shown and "did you mean 'total'?" in shown, shown)
    same(answer(t, "total"), "1")  # the session goes on
    t.type(CTRL_D)
    t.exit_status()

    for refused in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        t = session(state, **refused)
        t.type("nope\r")
        t.expect("nope")
        t.expect("error: Undefined variable 'nope'")
        t.expect(PROMPT)
        check("\x1b[1;31m" not in t.log, "no colours when they are refused")
        t.type(CTRL_D)
        t.exit_status()


def ctrl_c(state):
    t = session(state)
    t.type("half a li")
    t.expect("half a li")
    t.type(CTRL_C)
    t.expect("^C")
    t.expect(PROMPT)
    same(answer(t, "5"), "5")  # Ctrl-C clears the line
    t.type("f(\r")
    t.expect(MORE)
    t.type(CTRL_C)
    t.expect("^C")
    t.expect(PROMPT)
    same(answer(t, "6"), "6")  # Ctrl-C leaves an input of several lines
    for running in ('print("go") loop { }', 'print("go") new TimeBox().sleep(600000)', 'print("go") new ConsoleBox().input()'):
        t.type(running + "\r")
        t.expect("\n")
        t.expect("go")
        t.type(CTRL_C)
        check("Interrupted" in t.expect(PROMPT), "Ctrl-C stops " + running)
        check(answer(t, "7") == "7", "the session goes on after " + running)
    t.type(CTRL_D)
    check(t.exit_status() == 0, "Ctrl-D leaves")


def history(state):
    t = session(state)
    answer(t, "first = 11")
    t.type("function twice(n) {\r")
    t.expect(MORE)
    t.type("return 2 * n\r")
    t.expect(MORE)
    answer(t, "}")
    t.type(CTRL_D)
    t.exit_status()
    file = os.path.join(state, "nyash", "history")
    check(stat.S_IMODE(os.stat(file).st_mode) == 0o600, "only its owner may read the history")

    t = session(state)
    t.type(UP)
    t.expect("return 2 * n")
    t.type("\r")
    t.expect("\n")
    t.expect(PROMPT)
    same(answer(t, "twice(4)"), "8")  # a function recalled from the last session
    t.type(CTRL_D)
    t.exit_status()


def reading_lines(state):
    t = session(state)
    t.type('name = new ConsoleBox().input("Name? ")\r')
    t.expect("Name? ")
    t.expect("Name? ")  # first as typed, then as asked
    t.type("Mio\r")
    t.expect(PROMPT)
    same(answer(t, "name"), "Mio")  # a script reads from the terminal
    t.type(CTRL_D)
    t.exit_status()


def a_chat_of_two(state):
    t = session(state)
    answer(t, 'alice = new P2PBox("alice")')
    answer(t, 'bob = new P2PBox("bob")')
    t.type('bob.on("chat", function(intent, from) {\r')
    t.expect(MORE)
    t.type('print(from + ": " + intent.payload)\r')
    t.expect(MORE)
    t.type('bob.send(from, "chat:hi back")\r')
    t.expect(MORE)
    answer(t, "})")
    answer(t, 'alice.on("chat", function(intent, from) { print(from + ": " + intent.payload) })')
    same(answer(t, 'alice.send("bob", "chat:hello")'), "alice: hello\nbob: hi back\nOk(true)")  # two nodes talk
    t.type(CTRL_D)
    t.exit_status()


def while_the_prompt_waits(state):
    t = session(state)
    answer(t, "timer = new TimerBox()")
    t.type('id = timer.setInterval(function() { print("ti" + "ck") }, 20)\r')
    t.expect("tick")
    t.type("21 * ")
    t.expect("21 * ")
    t.expect("tick\r\n")
    t.expect("21 * ")  # shown again below what was printed
    t.type("2\r")
    t.expect("42")
    t.type("timer.clear(id)\r")
    t.type('print("the" + " end")\r')
    t.expect("the end")
    t.expect(PROMPT)  # a Ctrl-D typed before would belong to no line
    t.type(CTRL_D)
    t.exit_status()


for test in (values_and_variables, several_lines, completion, errors, ctrl_c, history, reading_lines, a_chat_of_two,
             while_the_prompt_waits):
    with tempfile.TemporaryDirectory() as folder:
        test(folder)
    print("ok", test.__name__)
