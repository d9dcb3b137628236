# SPDX-License-Identifier: MIT
"""Containers some of whose system calls an agent decides, and what agents decide."""
import errno
import os

import agent
import seccomp
import tool
from tool import need_root

FORMS = ((), ("--seccomp-fd",))
DENSE = "sendto sendmsg recvfrom recvmsg poll ppoll fcntl futex openat"
MKDIR = "mkdirat:-100,/tmp/made,0755"


def profile(path, *rules, default="ALLOW", notify="mkdirat", **more):
    """@notify are the calls of which the agent at @path is told."""
    return seccomp.profile(default, seccomp.rule(notify, "NOTIFY"), *rules, listenerPath=path, **more)


def configuration(place, filtered, *calls, **process):
    config = seccomp.configuration(place, filtered, "/bin/calls", *calls, **process)
    place.file("bundle/rootfs/tmp/")
    config["annotations"] = {"key": "va/lue \"\\"}
    return config


def start(place, filtered, *calls, options=(), command=(), **process):
    need_root("start containers")
    bundle = place.write(configuration(place, filtered, *calls, **process))
    return tool.start([*command, tool.TOOL, "run", "--bundle", bundle, *options, "the-id"])


def run(place, filtered, *calls, **kwargs):
    return tool.finish(start(place, filtered, *calls, **kwargs))


# ---- agents ----------------------------------------------------------------------------

def make_for_real(served, call):
    """Makes another directory than the one that was asked for, where the container will find it."""
    path = call.text(call.args[1])
    os.mkdir("/proc/%d/root%s-by-agent" % (call.pid, path))
    return 42, 0, 0


def go_on(served, call):
    return 0, 0, agent.CONTINUE


def deny(served, call):
    return 0, errno.EXDEV, 0


# ---- the child in Python ---------------------------------------------------------------

def serve(place, filtered, script, *options, fds=()):
    """The child in Python plays the script for our parent."""
    config = place.config("true")
    config["linux"]["seccomp"] = filtered
    place.write(config)
    preexec = tool.unshare if tool.ROOT else None
    return tool.converse([*tool.PEER_CHILD, "--script", place.file("script", "\n".join(script) + "\n")],
                         [*tool.OUR_PARENT, "--bundle", place.bundle, *options], child_fds=fds, preexec=preexec)
