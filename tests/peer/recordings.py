# SPDX-License-Identifier: MIT
"""Plays child.py and parent.py, each alone, against the recorded conversations.

Prints TAP.
"""
import contextlib
import glob
import os
import re
import socket
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
import child
import parent
import tap
import wire
from tap import HERE, TIMEOUT, equal, expect

CONVERSATIONS = os.path.join(HERE, "..", "conversations")


def read_conversation(path):
    """(result, [(who, bytes)]) where who is c, p or p+fd."""
    lines, result = [], None
    with open(path, encoding="utf-8", newline="\n") as file:
        for text in file.read().split("\n")[:-1]:
            who, _, rest = text.partition(" ")
            if who == "#":
                found = re.fullmatch("result: (ok|error)", rest)
                result = found.group(1) if found else result
            else:
                expect(who in ("c", "p", "p+fd"), "bad line: " + text)
                lines.append((who, rest.encode()))
    return result, lines


def arg_text(data):
    return re.fullmatch(rb'\{"type":"\w+","flags":\d,"arg":(.*)\}', data).group(1).decode()


@contextlib.contextmanager
def forked(main, arguments, status):
    """Runs main in a process of its own; yields our end, expects that status."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        quiet_exit(main, ["--sync-fd", str(theirs.detach()), *arguments])
    theirs.close()
    conn = wire.Conn(ours.detach())
    conn.timeout = TIMEOUT
    try:
        yield conn
    finally:
        conn.sock.close()
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    equal(ended, status)


def quiet_exit(main, arguments):
    code = 99
    try:
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code = main(arguments)
    finally:
        os._exit(code)


def parent_arguments(lines, fd):
    """Options that make parent.py say what this recording says."""
    arguments = ["--pid", str(os.getpid())]
    for (_, before), (who, data) in zip([("", b"")] + lines, lines):
        if who == "p+fd":
            arguments += ["--mount-fd", "%s=%d" % (data.decode(), fd)]
        elif who == "p" and b"procMountFd" in data:
            # With several mounts the rule decides, with one it may be overruled.
            if sum(who == "p+fd" for who, _ in lines) == 1:
                arguments += ["--reply", wire.decode(data).arg["type"]]
        elif who == "p" and b"procError" in data:
            hooks = wire.decode(before).type == "procHooks"
            arguments += ["--fail-hooks" if hooks else "--fail-mount",
                          wire.error_text(wire.decode(data))]
    return arguments


def replay_to_parent(result, lines, fd):
    status = 0 if result == "ok" else 1
    with forked(parent.main, parent_arguments(lines, fd), status) as conn:
        for who, data in lines:
            if who == "c":
                conn.send(data)
            elif who == "p":
                equal(conn.recv(), (data, []))
            else:
                os.close(conn.recv_fd(data.decode())[1])


def child_script(lines):
    """Steps of child.py that make it say what this recording says."""
    script, waits = [], []
    answers = {"procMountPlease": "procMountFd", "procHooks": "procHooksDone",
               "procReady": "procRun", "procSeccomp": "procSeccompDone"}
    words = {"procHooks": "hooks", "procReady": "ready"}
    for (who, data), (after, _) in zip(lines, lines[1:] + [("", b"")]):
        message = wire.decode(data) if who == "c" else None
        if who == "p" and waits:
            script.append("expect " + waits.pop(0))
        elif message is None:
            pass    # a step before waits for it
        elif message.type == "procError":
            script.append("error " + (message.arg.get("message") or ""))
        elif after == "c" or waits:
            script.append("raw %r" % data)
            waits.append(answers[message.type])
        elif message.type == "procMountPlease":
            script.append("mount " + arg_text(data))
        elif message.type == "procSeccomp":
            script.append("seccomp %d" % message.arg)
        else:
            script.append(words[message.type])
    return "\n".join(script) + "\n"


def replay_to_child(lines, fd, script_path):
    with open(script_path, "w", encoding="utf-8", newline="\n") as file:
        file.write(child_script(lines))
    told = any(who == "p" and b"procError" in data for who, data in lines)
    with forked(child.main, ["--script", script_path], 3 if told else 0) as conn:
        for who, data in lines:
            if who == "c":
                equal(conn.recv(), (data, []))
            elif who == "p":
                conn.send(data)
            else:
                conn.send_fd(data.decode(), fd)
        equal(conn.recv(), None)


def generation_of(name, data):
    """Only the older runc sends this key."""
    equal(b'"relabel"' in data, name.startswith("1.2"))


def check_bytes(name, lines):
    """A recording holds what the encoders write, and one generation only."""
    kinds = set()
    for who, data in lines:
        if who == "p+fd":
            continue
        message = wire.decode(data)
        text = None if message.arg is None else wire.go_json(message.arg)
        equal(wire.encode(message.type, message.flags, text), data)
        kinds.add(message.type)
        if message.type == "procMountPlease":
            generation_of(name, data)
    return kinds


def recordings(place):
    kinds = set()
    fd = os.open(place, os.O_PATH)
    try:
        for path in sorted(glob.glob(CONVERSATIONS + "/*.txt")):
            name = os.path.basename(path)
            try:
                result, lines = read_conversation(path)
                kinds |= check_bytes(name, lines)
                replay_to_parent(result, lines, fd)
                replay_to_child(lines, fd, place + "/script")
            except (AssertionError, wire.WireError, OSError) as error:
                raise AssertionError("%s: %s" % (name, error))
    finally:
        os.close(fd)
    equal(kinds, set(wire.ARGS))


def sizes(place):
    """The sizes that the description gives."""
    for kind, size in (("procReady", 30), ("procRun", 28), ("procHooks", 30),
                       ("procHooksDone", 34), ("procSeccompDone", 36)):
        equal(len(wire.encode(kind)), size)
    for form, size in (("open_tree", 59), ("plain-open", 60)):
        equal(len(wire.encode("procMountFd", 1, wire.go_json({"type": form}))), size)


TESTS = [sizes, recordings]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
