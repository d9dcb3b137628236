# SPDX-License-Identifier: MIT
"""What goes through `syncdemo run` between a terminal and that of a container, and what must not hold it up. Prints TAP."""
import contextlib
import os
import select
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from terminal import configuration, shown
from tool import bind, contains, equal, ok

LARGE = 1 << 20


def collect(fd, size=65536, pause=0.0):
    """All of a pipe, in pieces of a size."""
    parts = []
    while True:
        part = os.read(fd, size)
        if not part:
            return b"".join(parts)
        parts.append(part)
        time.sleep(pause)


def large_output(place):
    """a megabyte of any bytes comes through as it is, to a fast reader and to a slow one, and after the container's end"""
    data = os.urandom(LARGE)
    config = configuration(place, "stty raw; cat /large; exit 6")
    with open(place.rootfs + "/large", "wb") as file:
        file.write(data)
    for size, pause in ((65536, 0), (16384, 0.005), (1 << 20, 0.2)):
        ours, theirs = os.pipe()
        with shown(place, config, stdout=theirs) as here:
            os.close(theirs)
            got = collect(ours, size, pause)
            os.close(ours)
            equal(here.wait(), 6)
            ok(got == data, "%d of %d bytes, or others" % (len(got), len(data)))
            equal(here.rest(), "")


def large_input(place):
    """a megabyte that is typed comes through, while the container shows as much"""
    config = configuration(place, "stty raw -echo; echo ready; head -c %d | tee /copy; exit 8" % LARGE)
    data = "".join(chr(33 + (i * i) % 90) for i in range(LARGE))
    with shown(place, config) as here:
        here.expect("ready")
        here.wait_raw()
        here.seen = b""
        thread = threading.Thread(target=here.type, args=(data,))
        thread.start()
        equal(here.wait(6 * tool.TIMEOUT), 8)
        thread.join()
        shown_here = here.rest().strip()
    with open(place.rootfs + "/copy", encoding="ascii") as file:
        ok(file.read() == data, "what came in is not what was typed")
    ok(shown_here == data, "what was shown is not what was typed: %d bytes" % len(shown_here))


def wait_full(fd):
    """Until nobody can write any more there, and has not been able to for a moment."""
    end, since = time.monotonic() + tool.TIMEOUT, time.monotonic()
    while time.monotonic() - since < 0.3:
        ok(time.monotonic() < end, "it does not become full")
        if select.select([], [fd], [], 0)[1]:
            since = time.monotonic()
        time.sleep(0.01)


def stalled(place, where):
    """The container fills what nobody reads; signals are passed on, its end is seen, and run ends in time."""
    script = "trap 'exit 5' TERM; echo ready; (while :; do echo 0123456789012345678901234567890123456789; done) & wait"
    ours, theirs = os.pipe()
    with shown(place, configuration(place, script), **where(theirs)) as here:
        wait_full(theirs if "stdout" in where(1) else here.tty)
        os.close(theirs)
        began = time.monotonic()
        here.process.terminate()
        equal(here.process.wait(tool.TIMEOUT), 5)
        took = time.monotonic() - began
        os.close(ours)
        ok(4 < took < 8 * tool.PATIENCE, "it took %.1f s" % took)
        here.restored()
        if "stdout" in where(1):
            contains(here.rest(), "syncdemo: warning: standard output did not take the container's last ")


def stalled_pipe(place):
    """a pipe that nobody reads holds up neither signals nor the end"""
    stalled(place, lambda pipe: {"stdout": pipe})


def stalled_terminal(place):
    """nor does a terminal that takes nothing"""
    stalled(place, lambda pipe: {"stderr": pipe})


def impatient(place):
    """a second signal ends the wait for a standard output that takes nothing"""
    ours, theirs = os.pipe()
    script = "trap 'exit 5' TERM; (while :; do echo 01234567890123456789012345678901234567890; done) & wait"
    with shown(place, configuration(place, script), stdout=theirs) as here:
        wait_full(theirs)
        os.close(theirs)
        here.process.terminate()
        time.sleep(1)
        began = time.monotonic()
        here.process.terminate()
        equal(here.process.wait(tool.TIMEOUT), 5)
        # Without the second it would be another four seconds.
        ok(time.monotonic() - began < (1 if tool.PATIENCE == 1 else 3), "it waited")
        os.close(ours)


def closed_output(place):
    """without a reader of the output, the container still runs to its end"""
    ours, theirs = os.pipe()
    os.close(ours)
    with shown(place, configuration(place, "stty raw; cat /bin/busybox; exit 3"), stdout=theirs) as here:
        os.close(theirs)
        equal(here.wait(), 3)


def left_over(place):
    """what stays behind with the terminal, and writes to it for ever, does not hold up the end"""
    script = "(trap '' HUP; while :; do echo 0123456789; done) & echo $!; sleep 0.3; exit 2"
    config = configuration(place, script, namespaces="mount uts")
    config["mounts"][0] = bind("/proc", "/proc", "rbind")
    with shown(place, config) as here:
        pid = int(here.expect("\r\n"))
        try:
            began = time.monotonic()
            equal(here.wait(), 2)
            ok(time.monotonic() - began < 5 * tool.PATIENCE, "it took %.1f s" % (time.monotonic() - began))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                raise AssertionError("it was still there")


def reopened(place):
    """while nobody has the terminal open, run sleeps; what opens it again is shown"""
    script = "exec <&- >/dev/null 2>&1; sleep 1; echo again >/dev/console; sleep 0.1; exit 3"
    with shown(place, configuration(place, script)) as here:
        time.sleep(0.9)
        with open("/proc/%d/stat" % here.process.pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        ok(int(fields[11]) + int(fields[12]) < 30 * tool.PATIENCE, "it does not sleep")         # ticks of 10 ms
        here.expect("again\r\n")
        equal(here.wait(), 3)


TESTS = [large_output, large_input, stalled_pipe, stalled_terminal, impatient, closed_output, left_over, reopened]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
