# SPDX-License-Identifier: MIT
"""The console socket: who gets the container's terminal when run, or init, does not show it itself. Prints TAP."""
import array
import contextlib
import json
import os
import socket
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import container
import tap
import tool
from container import DEV, PROC, PTS, UNSHARE
from terminal import set_size, size
from tool import OUR_INIT, OUR_PARENT, contains, equal, need_root, ok, one_line

SCRIPT = "stty size; tty; read line; echo got $line; exit 5"
LIMIT = 5               # seconds, for connect and send


def configuration(place, script=SCRIPT, terminal=True, **process):
    need_root("start containers")
    config = container.configure(place, script, [PROC, DEV, PTS])
    config["process"].update(terminal=terminal, **process)
    return config


@contextlib.contextmanager
def listening(path, backlog=1):
    """A socket that listens at a path of any length."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("/proc/self/fd/%d/%s" % (directory, os.path.basename(path)))
        os.close(directory)
        server.listen(backlog)
        server.settimeout(tool.TIMEOUT)
        yield server


def received(connection):
    """The name and the one descriptor, as conmon receives them."""
    connection.settimeout(tool.TIMEOUT)
    data, control, flags, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4 * 16))
    equal((len(control), flags & socket.MSG_CTRUNC), (1, 0))
    level, kind, content = control[0]
    fds = array.array("i", content)
    equal((level, kind, len(fds)), (socket.SOL_SOCKET, socket.SCM_RIGHTS, 1))
    return data, fds[0]


def read_all(master):
    data = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:         # nobody has the other end any more
            return data.decode()
        data += part


def start(place, config, path):
    return tool.start([tool.TOOL, "run", "--bundle", place.write(config), "--console-socket", path, "test"])


def fails(place, config, path, *parts, timeout=tool.TIMEOUT):
    result = tool.finish(start(place, config, path), timeout)
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), *parts)


def sent(place):
    """the master goes to whoever listens, also at a path longer than an address: a name and one descriptor"""
    config = configuration(place, consoleSize={"height": 11, "width": 22})
    long = os.path.dirname(place.file("/".join(["d" * 60] * 4 + [""])) + "/")
    for path in (place.path + "/socket", os.path.join(long, "socket")):
        with listening(path) as server:
            process = start(place, config, path)
            with server.accept()[0] as connection:
                name, master = received(connection)
                equal((name, connection.recv(1)), (b"/dev/ptmx", b""))
            text = ""
            while not text.endswith("/dev/pts/0\r\n"):
                text += os.read(master, 4096).decode()
            os.write(master, b"hello\n")
            text += read_all(master)
            os.close(master)
            equal(text.replace("\r\n", "\n"), "11 22\n/dev/pts/0\nhello\ngot hello\n")
            equal(tool.finish(process), (5, "", ""))


def resized(place):
    """who has the master sets the size"""
    config = configuration(place, "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done")
    config["process"]["consoleSize"] = {"height": 65535, "width": 1}
    with listening(place.path + "/socket") as server:
        process = start(place, config, place.path + "/socket")
        with server.accept()[0] as connection:
            _, master = received(connection)
        said = b""
        while not said.endswith(b"\n"):
            said += os.read(master, 100)
        equal(said, b"ready\r\n")
        equal(size(master), (65535, 1))
        set_size(master, 40, 100)
        equal(read_all(master), "40 100\r\n")
        os.close(master)
        equal(tool.finish(process).code, 3)


def not_accepted(place):
    """one that never accepts: with room for one more the container starts, without it is an error in time"""
    path = place.path + "/socket"
    config = configuration(place, "exit 4")
    with listening(path, 0):
        equal(tool.finish(start(place, config, path)), (4, "", ""))
    os.unlink(path)
    with listening(path, 0):
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(path)
            began = time.monotonic()
            fails(place, config, path, "--console-socket: %s: connect: not accepted within %d s" % (path, LIMIT))
            took = time.monotonic() - began
            ok(LIMIT - 1 < took < LIMIT + 3 * tool.PATIENCE, "it took %.1f s" % took)


def dropped(place):
    """one that is gone at once: the container's terminal is hung up"""
    config = configuration(place, "trap '' HUP; sleep 0.3; cat; exit 6")
    with listening(place.path + "/socket") as server:
        process = start(place, config, place.path + "/socket")
        server.accept()[0].close()
        result = tool.finish(process)
    # It was gone before the terminal was sent, just before that became the controlling one, or after.
    if result.code != 6:
        equal(result.code, 1)
        causes = "console socket: sendmsg: Broken pipe", "process.terminal: TIOCSCTTY: ioctl: Input/output error"
        ok(any(cause in one_line(result.err) for cause in causes), repr(result))


def no_socket(place):
    """a path that is no such socket, or is not there"""
    config = configuration(place)
    fails(place, config, place.path + "/none", "--console-socket: %s/none: open: No such file" % place.path)
    fails(place, config, place.data + "/file", "--console-socket: %s/file: connect: Socket operation on" % place.data)
    fails(place, config, place.data, "connect: Socket operation on non-socket")
    with listening(place.path + "/dead"):
        pass
    fails(place, config, place.path + "/dead", "dead: connect: Connection refused")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(place.path + "/datagram")
        fails(place, config, place.path + "/datagram", "connect: Protocol wrong type for socket")


def no_terminal(place):
    """without process.terminal a console socket is refused"""
    for terminal in (False, None):
        config = configuration(place, terminal=terminal)
        fails(place, config, place.path + "/none", "--console-socket: config.json: process.terminal is not true")


# ---- the child half alone ------------------------------------------------------------

def converse(place, config, connection, number=None):
    """init and parent as programs, with this console."""
    fd = str(number or connection.fileno())
    return tool.converse([*UNSHARE, *OUR_INIT, "--bundle", place.write(config), "--console-fd", fd],
                         [*OUR_PARENT, "--bundle", place.bundle], child_fds=[connection.fileno()])


def init(place):
    """init sends it over the descriptor that it is given, and starts the program on it"""
    config = configuration(place, "tty; exec probe descriptors")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours:
        with theirs:
            child, parent = converse(place, config, theirs)
        name, master = received(ours)
        equal((child, parent), ((0, "", ""), (0, "", "")))
        equal(name, b"/dev/ptmx")
        line, _, rest = read_all(master).partition("\r\n")
        equal((line, sorted(json.loads(rest)["descriptors"])), ("/dev/pts/0", ["0", "1", "2"]))
        os.close(master)


def init_fails(place):
    """a failure after the terminal is there is told where init was started"""
    config = configuration(place)
    config["process"]["args"] = ["/bin/none"]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child, parent = converse(place, config, theirs)
    equal((child.code, child.out, parent.code), (1, "", 1))
    contains(one_line(child.err), "config.json: process.args[0]: /bin/none: execve: No such file")


def init_refuses(place):
    """a console without a terminal, a terminal without a console, and descriptors that are none"""
    config = configuration(place)
    ours, theirs = socket.socketpair()
    with ours, theirs, open(place.data + "/file", encoding="ascii") as file:
        child, _ = converse(place, configuration(place, terminal=False), theirs)
        contains(one_line(child.err), "--console-fd: config.json: process.terminal is not true")
        child, _ = converse(place, config, theirs, 77)
        contains(one_line(child.err), "--console-fd 77: fcntl: Bad file descriptor")
        child, _ = converse(place, config, file)
        contains(one_line(child.err), "config.json: process.terminal: console socket: setsockopt: Socket operation on")
    child, parent = container.as_root(place, config)
    contains(one_line(child.err), "config.json: process.terminal: true: without --console-fd")
    equal(parent.code, 1)


def init_full(place):
    """a socket that is full and is not read is an error in time"""
    config = configuration(place)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                theirs.send(bytes(65536))
        with contextlib.suppress(BlockingIOError):
            while True:
                theirs.send(b"x")
        theirs.setblocking(True)
        began = time.monotonic()
        child, parent = converse(place, config, theirs)
        took = time.monotonic() - began
    equal((child.code, parent.code), (1, 1))
    contains(one_line(child.err), "config.json: process.terminal: console socket: sendmsg: not taken within %d s" % LIMIT)
    ok(LIMIT - 1 < took < LIMIT + 3 * tool.PATIENCE, "it took %.1f s" % took)


TESTS = [sent, resized, not_accepted, dropped, no_socket, no_terminal, init, init_fails, init_refuses, init_full]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
