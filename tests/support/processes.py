# SPDX-License-Identifier: MIT
"""Processes as /proc has them, and waiting for what becomes of them."""
import contextlib
import time

import tool
from tool import ok


def children(pid):
    """None of a process that is gone."""
    with contextlib.suppress(OSError), open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
        return [int(child) for child in file.read().split()]
    return []


def descendants(pid):
    """It is one of them."""
    return {pid}.union(*map(descendants, children(pid)))


def state(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def alive(pid):
    with contextlib.suppress(OSError):
        return state(pid) != "Z"
    return False


def wait_for(condition, what, timeout=tool.TIMEOUT, pause=0.005):
    end = time.monotonic() + timeout
    while not condition():
        ok(time.monotonic() < end, "no " + what)
        time.sleep(pause)
