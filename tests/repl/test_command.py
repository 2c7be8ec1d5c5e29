"""The nyash command: options, streams, exit codes, Ctrl-C.   test_command.py NYASH"""
import os
import signal
import subprocess
import sys
import tempfile

from terminal import Terminal

NYASH = os.path.abspath(sys.argv[1])


def run(*arguments, stdin=""):
    done = subprocess.run([NYASH, *arguments], input=stdin, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def check(got, *wanted):
    if got != wanted:
        raise AssertionError(f"wanted {wanted}\n   got {got}")


def contains(text, part):
    if part not in text:
        raise AssertionError(f"wanted {part!r} in\n{text}")


def programs(folder):
    file = os.path.join(folder, "cart.nyash")
    with open(file, "w", encoding="utf-8") as out:
        out.write('#!/usr/bin/env nyash\nstatic box Main { main(args) { print(args.join("+")) return args.length() } }\n')
    check(run(file, "a", "--check"), 0, "a+--check\n", "")
    check(run("--show-result", file, "a"), 0, "a\nResult: 1\n", "")
    check(run("-e", "print(6 * 7)"), 0, "42\n", "")
    check(run("-", stdin="print(1)"), 0, "1\n", "")
    check(run(stdin="print(2)"), 0, "2\n", "")
    check(run("--check", file), 0, "", "")
    check(run("--check", stdin="print(3)"), 0, "", "")
    status, out, err = run("--check", "-e", "print(")
    check((status, out), 1, "")
    contains(err, "--> -e:1:7")
    contains(run("--dump-ast", "-e", "print(1)")[1], "print")
    check(run("--strict-vars", "-e", "local x = 1\nx = 2\nprint(x)"), 0, "2\n", "")
    contains(run("--max-steps", "10", "-e", "loop { }")[2], "more than 10 steps")
    contains(run("--version")[1], "nyash ")
    contains(run("--help")[1], "usage: nyash")


def mistakes(folder):
    status, _, err = run("--chek")
    check((status, err), 2, "nyash: unknown option '--chek'; did you mean '--check'?\ntry  nyash --help\n")
    for wrong in (["--max-steps"], ["--max-steps", "many", "-e", ""], ["-e"], ["-i", "-"], ["--repl", "--check"]):
        if run(*wrong)[0] != 2:
            raise AssertionError(f"{wrong} is a mistake on the command line")
    open(os.path.join(folder, "cart.nyash"), "w").close()
    status, _, err = run(os.path.join(folder, "crat.nyash"))
    check((status,), 1)
    contains(err, "No such file or directory\nhelp: did you mean '" + os.path.join(folder, "cart.nyash"))
    contains(run(folder)[2], "it is a directory")
    with open(os.path.join(folder, "latin.nyash"), "wb") as out:
        out.write(b'x = 1\nprint("caf\xe9")\n')
    contains(run(os.path.join(folder, "latin.nyash"))[2], "latin.nyash:2:11")


def input_lines(_):
    script = "c = new ConsoleBox() print(c.readLine()) print(c.input(\"? \")) print(c.readLine()) print(c.readLine())"
    check(run("-e", script, stdin="one\r\ntwo\n\n"), 0, "one\n? two\n\nnull\n", "")
    check(run("-e", script, stdin="no line end"), 0, "no line end\n? null\nnull\nnull\n", "")
    # What a script leaves unread is the session's.
    check(run("-i", "-e", "print(new ConsoleBox().readLine())", stdin="mine\n1 + 1\nx = 5\nx\n"), 0, "mine\n2\n5\n", "")
    check(run("--repl", stdin="nope\n1\nexit\n2\n")[:2], 0, "1\n")


def timers_while_reading(_):
    # The line is only written once the timer's function has printed.
    script = 't = new TimerBox()\nt.setTimeout(function() { print("tock") }, 1)\nprint(new ConsoleBox().readLine())'
    with subprocess.Popen([NYASH, "-e", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        check((running.stdout.readline(),), "tock\n")
        check(running.communicate("line\n", timeout=60), "line\n", None)


def ctrl_c(_):
    for program in ('print("go") loop { }', 'print("go") new TimeBox().sleep(600000)',
                    'print("go") print(new ConsoleBox().readLine())'):
        t = Terminal([NYASH, "-e", program])
        t.expect("go")
        t.type("\x03")
        t.expect("error:")
        t.expect("Interrupted")
        t.expect("-e:1:")
        if t.exit_status() != -signal.SIGINT:
            raise AssertionError("a shell sees that Ctrl-C ended the script: 130")


def the_second_ctrl_c(_):
    # One built-in call that takes hours cannot be stopped between two steps.
    t = Terminal([NYASH, "-e", 'print("go") ("a" * 20000000).find("a" * 2000000 + "b")'])
    t.expect("go")
    t.type("\x03")
    t.expect("^C")
    if t.exit_status(keep_typing="\x03") != -signal.SIGINT:
        raise AssertionError("the second Ctrl-C ends the process")
    if "Interrupted" in t.log:
        raise AssertionError("the first Ctrl-C was enough: this test needs a call that takes longer")


def a_terminal_without_a_program(folder):
    t = Terminal([NYASH], {"XDG_STATE_HOME": folder})
    t.expect("nyash> ")
    t.type("quit\r")
    if t.exit_status() != 0:
        raise AssertionError("quit leaves with 0")


for test in (programs, mistakes, input_lines, timers_while_reading, ctrl_c, the_second_ctrl_c,
             a_terminal_without_a_program):
    with tempfile.TemporaryDirectory() as temporary:
        test(temporary)
    print("ok", test.__name__)
