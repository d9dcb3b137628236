# SPDX-License-Identifier: MIT
"""SCMP_ACT_NOTIFY with a child that hands over something else than a listener, and with agents that do not take it: one
line, in time. Prints TAP.
"""
import contextlib
import os
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import agent
import tap
import tool
from agent import Agent
from notified import MKDIR, make_for_real, profile, run, serve, start
from processes import children
from seccomp import DENY
from sources import hung
from tool import contains, equal, need_root, ok, one_line

PIDFD_GETFD = 438               # on every architecture but alpha


# ---- children ------------------------------------------------------------------------

def no_listener(place):
    """a child that gives anything but a listener, or gives one that nobody asked for: the agent is not disturbed"""
    fifo = place.file("fifo")
    os.unlink(fifo)
    os.mkfifo(fifo)
    gifts = [os.open(fifo, os.O_RDWR), os.memfd_create("seccomp notify"), os.open("/dev/null", os.O_RDWR)]
    try:
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(os.path.join(place.path, "agent"))
            nobody.listen()
            for gift in gifts:
                script = ["ready", "seccomp %d" % gift, "exec true"]
                child, parent = serve(place, profile(nobody.getsockname()), script, fds=[gift])
                equal((parent.code, parent.out), (1, ""))
                contains(one_line(parent.err), "procSeccomp: expected a seccomp listener as its descriptor")
                ok(child.code != 0, "the child goes on")
            child, parent = serve(place, profile(nobody.getsockname()), ["ready", "seccomp 999", "exec true"])
            equal((parent.code, parent.out), (1, ""))
            contains(one_line(parent.err), "procSeccomp: pidfd_getfd: Bad file descriptor")
            nobody.setblocking(False)
            try:
                nobody.accept()
                ok(False, "the agent was connected to")
            except BlockingIOError:
                pass
        fd = agent.listener()
        gifts.append(fd)
        for seccomp in (None, {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": nobody}):
            if seccomp:
                seccomp["listenerPath"] = "/x"
            child, parent = serve(place, seccomp, ["ready", "seccomp %d" % fd, "exec true"], fds=[fd])
            equal((parent.code, parent.out), (1, ""))
            contains(one_line(parent.err), "procSeccomp: no listener is configured")
    finally:
        for fd in gifts:
            os.close(fd)


def hung_file(place):
    """a child whose listener is a file of a server that never answers: nobody hangs, and the child is dead"""
    with hung(place) as directory:
        fd = os.open(directory, os.O_PATH)      # any other open() would hang here
        begin = time.monotonic()
        child, parent = serve(place, profile("/none"), ["ready", "seccomp %d" % fd, "exec true"], fds=[fd])
        os.close(fd)
        ok(time.monotonic() - begin < 5, "too slow")
        equal((parent.code, parent.out), (1, ""))
        contains(one_line(parent.err), "procSeccomp: ")
        ok(child.code != 0, "the child goes on")


# ---- agents --------------------------------------------------------------------------

def fails(place, seccomp, *parts, code=1, **kwargs):
    """A container that must not come up, and how long that took."""
    begin = time.monotonic()
    result = run(place, seccomp, "getppid", **kwargs)
    equal((result.code, result.out), (code, ""))
    contains(one_line(result.err), *parts)
    return time.monotonic() - begin


@contextlib.contextmanager
def nobody_accepts(place):
    """A socket whose queue is full."""
    path = os.path.join(place.path, "full")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.ExitStack() as stack:
        listening.bind(path)
        listening.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(path)
            except BlockingIOError:
                break
        else:
            ok(False, "the queue is never full")
        yield path


def no_agent(place):
    """no agent, none that listens, no socket, one of another kind"""
    seccomp = profile(os.path.join(place.path, "none"))
    fails(place, seccomp, "config.json: linux.seccomp.listenerPath: %s/none: connect: No such file" % place.path)
    fails(place, profile(place.file("file")), "/file: connect: Connection refused")
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(os.path.join(place.path, "closed"))
    fails(place, profile(os.path.join(place.path, "closed")), "/closed: connect: Connection refused")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(os.path.join(place.path, "datagrams"))
        fails(place, profile(datagrams.getsockname()), "/datagrams: connect: Protocol wrong type for socket")


def stalled(place, path, *parts, **more):
    """The parent alone with a deadline of a second, and another child that goes on meanwhile."""
    fd, limit = agent.listener(), tool.PATIENCE
    try:
        begin = time.monotonic()
        script = ["ready", "seccomp %d" % fd, "exec true"]
        child, parent = serve(place, profile(path, **more), script, "--timeout", str(limit), fds=[fd])
        took = time.monotonic() - begin
    finally:
        os.close(fd)
    equal((parent.code, parent.out), (1, ""))
    contains(one_line(parent.err), "config.json: linux.seccomp.listenerPath: %s: " % path, *parts)
    contains(child.err, "the agent ")
    ok(limit <= took < limit + 3, "took %.1f s" % took)


def never_accepts(place):
    """an agent that never accepts: the deadline"""
    with nobody_accepts(place) as path:
        stalled(place, path, "connect: the agent does not accept connections")


def never_reads(place):
    """an agent that accepts and never reads: the deadline"""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.join(place.path, "lazy"))
        listening.listen()
        stalled(place, listening.getsockname(), "sendmsg: the agent does not read what it is sent",
                listenerMetadata="x" * 3000000)


class Closing(Agent):
    def run(self):
        with contextlib.suppress(OSError):
            connection, _ = self.listening.accept()
            with connection:
                connection.recv(1)


def closes_at_once(place):
    """an agent that closes with most of it unread: the container does not start"""
    with Closing(place, None) as served:
        fails(place, profile(served.path, listenerMetadata="x" * 3000000), "linux.seccomp.listenerPath: ",
              "/agent: sendmsg: ")


def interrupted(place):
    """while an agent stalls, a signal ends `run` at once, and so does the death of the container"""
    with nobody_accepts(place) as path:
        for which in ("run", "container"):
            process = start(place, profile(path), "getppid", options=["--trace"])
            for line in process.stderr:
                if "procSeccomp" in line:
                    break
            time.sleep(0.1)             # it has begun to wait
            begin = time.monotonic()
            if which == "run":
                process.send_signal(signal.SIGTERM)
            else:
                for pid in children(process.pid):
                    with open("/proc/%d/status" % pid, encoding="ascii") as file:
                        if "Seccomp:\t2" in file.read():
                            os.kill(pid, signal.SIGKILL)
            result = tool.finish(process)
            equal((which, result.code), (which, 128 + signal.SIGTERM if which == "run" else 1))
            ok(time.monotonic() - begin < 3, "%s: %.1f s" % (which, time.monotonic() - begin))


def getfd_denied(place):
    """where pidfd_getfd is refused: the error says what to do, and that works"""
    need_root("start containers")
    with Agent(place, make_for_real) as served:
        for error in ("EPERM", "ENOSYS"):
            fails(place, profile(served.path), "pidfd_getfd", "the form that sends the descriptor does not",
                  command=[DENY, "%d:%s" % (PIDFD_GETFD, error), "--"])
        result = run(place, profile(served.path), MKDIR, options=["--seccomp-fd"],
                     command=[DENY, "%d:EPERM" % PIDFD_GETFD, "--"])
    equal(result, (0, "mkdirat: 42\n", ""))


TESTS = [no_listener, hung_file, no_agent, never_accepts, never_reads, closes_at_once, interrupted, getfd_denied]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
