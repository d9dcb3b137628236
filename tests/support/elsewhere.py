# SPDX-License-Identifier: MIT
"""Namespaces of somebody else, and containers that join them."""
import contextlib
import os
import signal
import subprocess

from box import FIRST, NAMESPACES, configuration
from tool import Skip, bind, need_root

FILES = {**NAMESPACES, "user": "user", "time": "time"}
FLAGS = {"pid": "--pid", "network": "--net", "ipc": "--ipc", "uts": "--uts", "cgroup": "--cgroup", "user": "--user",
         "time": "--time"}


@contextlib.contextmanager
def elsewhere(*kinds, maps="0 %d 65536" % FIRST, by=None):
    """The PID of a process in new namespaces of these kinds, with these ids in a user namespace; or with the one of @by."""
    if not by:
        need_root("make namespaces")
    flags = {"mount": "--mount", **FLAGS}
    command = ["unshare", *(["--map-root-user"] if by else []), *(flags[kind] for kind in kinds),
               *(["--fork"] if "pid" in kinds or "time" in kinds else []),
               "sh", "-c", "echo; exec sleep 60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, preexec_fn=by)
    try:
        if not process.stdout.readline():
            raise Skip("no namespaces here")
        pid = process.pid
        if "pid" in kinds or "time" in kinds:
            with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
                pid = int(file.read())
        if "user" in kinds and not by:
            for name in ("uid_map", "gid_map"):
                with open("/proc/%d/%s" % (pid, name), "w", encoding="ascii") as file:
                    file.write(maps)
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def joining(pid, *kinds, new=("mount",), **kwargs):
    config = configuration(kinds=(), **kwargs)
    config["linux"]["namespaces"] = [{"type": kind} for kind in new] + [
        {"type": kind, "path": "/proc/%d/ns/%s" % (pid, FILES[kind])} for kind in kinds]
    # The host's, whatever namespaces the container is in.
    config["mounts"] = [bind("/proc", "/proc", "rbind")]
    return config
