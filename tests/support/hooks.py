# SPDX-License-Identifier: MIT
"""Bundles with hooks, which write down what they see: a shell of busybox and the probe, outside as inside."""
import contextlib
import json
import os
import sys

import container
import tool

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
CHILD = ("createContainer", "startContainer")
FIRST = 100000
# What a hook says of itself, and that it ran; $0 is its name.
RECORD = 'cat >$LOG/$0.state; echo $0 >>$LOG/order; exec $BIN/probe ids descriptors signals namespaces cwd env umask caps ' \
         'uids no_new_privs >$LOG/$0'
PROGRAM = "echo program >>/log/order; echo started"
LASTING = PROGRAM + "; sleep 5"
SAY = "echo $0 >>$LOG/order; "
WITHOUT_PID = "mount ipc uts network"   # namespaces where the end of the container's process ends no other


def configuration(place, script=PROGRAM, namespaces="pid mount ipc uts network", user=None, **hooks):
    """A container with a /proc, and a directory /log that hooks of all kinds can write to."""
    if not os.path.exists(container.PROBE):
        raise tool.Skip("tests/support/probe is not built")
    config = container.configure(place, script, [container.PROC], namespaces)
    os.chmod(place.file("bundle/rootfs/log/"), 0o777)
    os.chmod(place.file("bundle/rootfs/log/order"), 0o666)
    os.chmod(place.path, 0o755)
    if user is not None:
        config["process"]["user"] = {"uid": user, "gid": user}
    if "user" in namespaces.split():
        extents = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
        config["linux"].update(uidMappings=extents, gidMappings=extents)
        os.chown(place.rootfs, FIRST, FIRST)
    config["hooks"] = hooks
    return config


def log(place):
    return place.rootfs + "/log"


def hook(place, kind, script, name="hook", **more):
    """A shell's script, where the hook of @kind finds the shell."""
    root = "" if kind == "startContainer" else place.rootfs
    return {"path": root + "/bin/busybox", "args": ["sh", "-c", script, name],
            "env": ["PATH=%s/bin" % root, "BIN=%s/bin" % root, "LOG=%s/log" % root], **more}


def record(place, kind, name=None):
    return hook(place, kind, RECORD, name or kind)


def order(place):
    with open(log(place) + "/order", encoding="ascii") as file:
        return file.read().split()


def forget(place):
    for name in os.listdir(log(place)):
        if name != "order":
            os.remove(os.path.join(log(place), name))
    os.truncate(log(place) + "/order", 0)


def recorded(place, name):
    """The state that it got, and what it said of itself."""
    with open("%s/%s.state" % (log(place), name), encoding="utf-8") as state, \
            open("%s/%s" % (log(place), name), encoding="utf-8") as said:
        return json.load(state), json.load(said)


def start(place, config, *options, name="box", command=None, **kwargs):
    return tool.start([command or tool.TOOL, "run", "--bundle", place.write(config), *options, name], **kwargs)


def run(place, config, *options, **kwargs):
    return tool.finish(start(place, config, *options, **kwargs))


def sleepers(number):
    """Who sleeps that many seconds: tests take numbers of their own."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/cmdline" % pid, "rb") as file:
            if file.read().split(b"\0")[:2] == [b"sleep", b"%d" % number]:
                found.append(int(pid))
    return found


def unique():
    """Seconds to sleep that nobody else's test sleeps."""
    return 100000 + os.getpid() % 100000 * 10 + next(_numbers)


_numbers = iter(range(sys.maxsize))


def grandchildren(number):
    """A tree that waits for ever, in the hook's group and out of it, with the hook's streams and without."""
    return ("trap '' TERM INT HUP; sleep {0} & setsid sleep {0} & (setsid sh -c 'sleep {0} & sleep {0}' &) ; "
            "(setsid sleep {0} </dev/null >/dev/null 2>&1 &); ").format(number)
