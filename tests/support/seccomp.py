# SPDX-License-Identifier: MIT
"""Containers under a filter, whose program is tests/support/calls.c or another."""
import os
import shutil

import container
import tool
from tool import Skip, equal, need_root

CALLS = os.path.join(tool.BUILD, "tests", "support", "calls")
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")


def rule(names, action, *args, **more):
    entry = {"names": names.split(), "action": "SCMP_ACT_" + action, **more}
    if args:
        entry["args"] = [dict(zip(("index", "op", "value", "valueTwo"), arg)) for arg in args]
    return entry


def profile(default, *rules, **more):
    return {"defaultAction": "SCMP_ACT_" + default, "syscalls": list(rules), **more}


def configuration(place, seccomp, *args, **process):
    """A container that runs calls or the probe, under @seccomp."""
    if not os.path.exists(CALLS):
        raise Skip("tests/support/calls is not built")
    config = container.configure(place, "", [container.PROC])
    inside = os.path.join(place.rootfs, "bin", "calls")
    if not os.path.exists(inside):
        shutil.copy(CALLS, inside)
    config["process"].update(process, args=list(args))
    config["linux"]["seccomp"] = seccomp
    return config


def run(place, seccomp, *args, command=(), options=(), **process):
    need_root("start containers")
    bundle = place.write(configuration(place, seccomp, *args, **process))
    return tool.finish(tool.start([*command, tool.TOOL, "run", "--bundle", bundle, *options, "test"]))


def results(place, seccomp, *calls, err="", **process):
    """What came of each call."""
    result = run(place, seccomp, "/bin/calls", *calls, **process)
    equal((result.code, result.err), (0, err))
    return [line.split(": ", 1)[1] for line in result.out.splitlines()]


CAPS = "CAP_CHOWN CAP_NET_BIND_SERVICE CAP_SYS_ADMIN".split()
