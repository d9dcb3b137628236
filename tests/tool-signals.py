# SPDX-License-Identifier: MIT
"""`syncdemo run`: the signals that it gets, and SIGKILL of it and of its container. Prints TAP."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import FIRST, prepared, read, shell, start
from processes import alive, children, wait_for
from sources import hung
from tool import bind, equal

FORWARDED = ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2")


def signals(place):
    """signals are forwarded, to a program that handles them and to one that does not"""
    script = "".join("trap 'echo %s; exit 40' %s\n" % (name, name) for name in FORWARDED)
    for name in FORWARDED:
        process = start(place, shell(script + "echo ready\nwhile true; do sleep 0.02; done"))
        equal(process.stdout.readline(), "ready\n")
        process.send_signal(getattr(signal, "SIG" + name))
        equal(tool.finish(process), (40, name + "\n", ""))
    config = shell("echo ready; exec sleep 30")
    config["linux"]["namespaces"] = [{"type": "mount"}]
    config["mounts"] = []
    process = start(place, config)
    equal(process.stdout.readline(), "ready\n")
    process.send_signal(signal.SIGTERM)
    equal(tool.finish(process), (128 + signal.SIGTERM, "", ""))


def ignored_hangup(place):
    """under nohup, SIGHUP is not forwarded"""
    config = shell("trap 'echo no; exit 1' HUP; trap 'exit 40' TERM\necho ready; while true; do sleep 0.02; done")
    process = start(place, config,
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), restore_signals=False)
    equal(process.stdout.readline(), "ready\n")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    equal(tool.finish(process), (40, "", ""))


def signal_before(place):
    """a signal before the program has started ends the container"""
    with hung(place) as path:
        for name in FORWARDED:
            config = shell("echo started")
            # It is the parent who asks there; the child could not be killed.
            config["mounts"] = [bind(path + "/below", "/mnt", "bind", "idmap", uids="0:%d:65536" % FIRST)]
            process = start(place, config)
            wait_for(lambda p=process: children(p.pid), "container")
            time.sleep(0.05)
            process.send_signal(getattr(signal, "SIG" + name))
            equal(tool.finish(process), (128 + getattr(signal, "SIG" + name), "", ""))


def killed(place):
    """SIGKILL of run ends the container, with all of its processes, also after a change of user"""
    sets = {name: ["CAP_KILL"] for name in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    for process in ({}, {"user": {"uid": 1000, "gid": 1000}}, {"user": {"uid": 1000, "gid": 1000}, "capabilities": sets},
                    {"capabilities": {"bounding": ["CAP_KILL"]}},        # root gets it by the execution
                    {"noNewPrivileges": True}, {"mapped": True}, {"mapped": True, "user": {"uid": 9, "gid": 9}}):
        child = start(place, shell("sleep 30 & sleep 30 & echo ready; wait", **process), "--pid-file", place.path + "/pid")
        equal(child.stdout.readline(), "ready\n")
        pid = int(read(place.path + "/pid"))
        left = [pid, *children(pid)]
        equal((len(left), all(map(alive, left))), (3, True))
        child.kill()
        child.communicate(timeout=tool.TIMEOUT)
        wait_for(lambda some=left: not any(map(alive, some)), "end of %r" % (process,))


def killed_early(place):
    """SIGKILL of run at any moment of the start leaves nothing"""
    config = shell("sleep 30")
    prepared(place, config)
    for moment in range(60):
        process = start(place, config)
        time.sleep(moment / 10000)
        process.kill()
        process.communicate(timeout=tool.TIMEOUT)
    equal(tap.left_processes(), 0)


def killed_container(place):
    """a container killed from outside"""
    process = start(place, shell("echo ready; sleep 30"), "--pid-file", place.path + "/pid")
    equal(process.stdout.readline(), "ready\n")
    os.kill(int(read(place.path + "/pid")), signal.SIGKILL)
    equal(tool.finish(process), (128 + signal.SIGKILL, "", ""))


TESTS = [signals, ignored_hangup, signal_before, killed, killed_early, killed_container]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
