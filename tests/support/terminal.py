# SPDX-License-Identifier: MIT
"""Somebody at a terminal: a pair of pseudo-terminals, `syncdemo run` on one end, what he types and sees at the other."""
import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import termios
import time

import container
import tool
from container import DEV, PROC, PTS
from tool import contains, equal, need_root, ok

FIRST = 100000          # what the user namespaces of the tests begin with
MODES = slice(0, 4)     # of tcgetattr(): input, output, control, local

# Leads the session, as a shell does, and has the command as a job: "fg", "bg" set whose terminal it is, "wait" tells how
# the job stopped or ended.
LEADER = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
control = int(sys.argv[1])
pid = os.fork()
if pid == 0:
    os.close(control)
    os.setpgid(0, 0)
    if sys.argv[2] == "fg":
        os.tcsetpgrp(0, os.getpid())
    for number in (signal.SIGTTOU, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(sys.argv[3], sys.argv[3:])
os.write(control, b"%d\\n" % pid)
while True:
    word = os.read(control, 2)
    if word in (b"fg", b"bg"):
        os.tcsetpgrp(0, pid if word == b"fg" else os.getpgrp())
        os.write(control, b"ok\\n")
    elif word == b"wt":
        os.write(control, b"%d\\n" % os.waitpid(pid, os.WUNTRACED)[1])
    else:
        break
"""


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def size(fd):
    return struct.unpack("4H", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))[:2]


def modes(fd):
    """What decides how a terminal behaves, in a form to compare."""
    state = termios.tcgetattr(fd)
    return state[MODES], state[6]


class Terminal:
    """The user's end is @user, that of the programs @tty, which stays open here too."""

    def __init__(self, rows=24, columns=80):
        self.user, self.tty = os.openpty()
        set_size(self.tty, rows, columns)
        self.before = modes(self.tty)
        self.process = self.leader = None
        self.seen = b""

    def start(self, command, fds=(), **kwargs):
        """The command leads a session of its own, with this as its terminal; returns the process."""
        def own():
            os.setsid()
            fcntl.ioctl(self.tty, termios.TIOCSCTTY, 0)

        for name in ("stdin", "stdout", "stderr"):
            kwargs.setdefault(name, self.tty)
        self.process = subprocess.Popen(command, preexec_fn=own, pass_fds=[self.tty, *fds], **kwargs)
        return self.process

    def start_job(self, command, where):
        """The command is a job of a shell, in the foreground ("fg") or not; returns its PID."""
        self.leader, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen([sys.executable, "-c", LEADER, str(theirs.fileno()), where, *command],
                                            stdin=self.tty, stdout=self.tty, stderr=self.tty, pass_fds=[theirs.fileno()])
        return int(self.leader.recv(20))

    def job(self, word):
        """Says it to the leader: "fg", "bg", or "wt", which waits for the job to stop or to end."""
        self.leader.settimeout(tool.TIMEOUT)
        self.leader.send(word.encode())
        answer = self.leader.recv(20).decode().strip()
        return int(answer) if word == "wt" else answer

    def type(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.user, data):]

    def expect(self, *parts, timeout=tool.TIMEOUT):
        """Reads until all of these, one after the other, have been shown; returns what was."""
        end = time.monotonic() + timeout
        shown = ""
        for part in parts:
            while part.encode() not in self.seen:
                ready = select.select([self.user], [], [], max(0, end - time.monotonic()))[0]
                ok(ready, "no %r in %r" % (part, self.seen))
                self.seen += os.read(self.user, 65536)
            before, _, self.seen = self.seen.partition(part.encode())
            shown += (before + part.encode()).decode(errors="backslashreplace")
        return shown

    def rest(self):
        """What is shown until there is nothing more."""
        while select.select([self.user], [], [], 0.05)[0]:
            self.seen += os.read(self.user, 65536)
        shown, self.seen = self.seen, b""
        return shown.decode(errors="backslashreplace")

    def wait(self, timeout=tool.TIMEOUT):
        """The exit status; what is shown meanwhile is read."""
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            ok(time.monotonic() < end, "no end of %r, which shows %r" % (self.process.args, self.seen))
            if select.select([self.user], [], [], 0.01)[0]:
                self.seen += os.read(self.user, 65536)
        return self.process.returncode

    def restored(self):
        """Soon, where another process has to see to it."""
        end = time.monotonic() + 2 * tool.PATIENCE
        while modes(self.tty) != self.before and time.monotonic() < end:
            time.sleep(0.01)
        ok(modes(self.tty) == self.before, "other modes than before: %r, %r" % (modes(self.tty), self.before))

    def raw(self):
        return not modes(self.tty)[0][3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def wait_raw(self, wanted=True):
        end = time.monotonic() + tool.TIMEOUT
        while self.raw() != wanted:
            ok(time.monotonic() < end, "raw mode did not become %r" % wanted)
            time.sleep(0.01)

    def hang_up(self):
        for fd in (self.user, self.tty):
            if fd >= 0:
                os.close(fd)
        self.user = self.tty = -1

    def close(self):
        if self.leader:
            self.leader.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()


@contextlib.contextmanager
def terminal(*args):
    """As the test leaves it, and closed."""
    here = Terminal(*args)
    try:
        yield here
    finally:
        here.close()


# ---- containers on it ---------------------------------------------------------------

def configuration(place, script, entries=(PROC, DEV, PTS), namespaces="pid mount ipc uts network", **process):
    """A shell script on a terminal; "process" in keywords."""
    need_root("start containers")
    config = container.configure(place, script, entries, namespaces)
    config["process"].update(terminal=True, **process)
    return config


def mapped(place, config, count=65536):
    config["linux"]["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": FIRST, "size": count}]
    os.chmod(place.path, 0o755)
    os.chown(place.rootfs, FIRST, FIRST)
    return config


def command(place, config, *options):
    return [tool.TOOL, "run", "--bundle", place.write(config), *options, "test"]


@contextlib.contextmanager
def shown(place, config, *options, **kwargs):
    """A container on a terminal of 24 rows and 80 columns."""
    with terminal() as here:
        here.start(command(place, config, *options), **kwargs)
        yield here


def output(place, script, status=0, **kwargs):
    """What the script shows, whose terminal then is as it was."""
    with shown(place, configuration(place, script, **kwargs)) as here:
        equal((here.wait(), here.process.args[0]), (status, tool.TOOL))
        here.restored()
        return here.rest().replace("\r\n", "\n")


def refuses(place, config, *parts, options=(), timeout=tool.TIMEOUT):
    """One line, exit status 1, and a terminal that is as it was."""
    with shown(place, config, *options) as here:
        equal(here.wait(timeout), 1)
        text = here.rest()
        ok(text.count("\n") == 1 and text.startswith("syncdemo: "), "not one line: %r" % text)
        contains(text, *parts)
        here.restored()
