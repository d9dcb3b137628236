# SPDX-License-Identifier: MIT
"""Bundles for tests of `syncdemo run`: a root file system of busybox and the probe alone."""
import json
import os
import shutil

import tool
from tool import Skip, contains, equal, need_root, one_line

PROBE = os.path.join(tool.BUILD, "tests", "support", "probe")
NAMESPACES = {"pid": "pid", "network": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup"}
FIRST = 100000          # what the user namespaces of the tests begin with
MAP = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
PROC = {"destination": "/proc", "type": "proc", "source": "proc"}


def fill(place):
    busybox = shutil.which("busybox")
    if not busybox:
        raise Skip("no busybox")
    if not os.path.exists(PROBE):
        raise Skip("tests/support/probe is not built")
    binaries = place.file("bundle/rootfs/bin/")
    if os.path.exists(binaries + "/probe"):
        return
    shutil.copy(busybox, binaries + "/busybox")
    shutil.copy(PROBE, binaries + "/probe")
    for name in "cat chmod echo find id ls mkdir mount readlink sh sleep sort stat touch true wc grep head".split():
        os.symlink("busybox", binaries + "/" + name)
    for name in ("proc", "dev", "sys", "tmp"):
        place.file("bundle/rootfs/%s/" % name)


def configuration(*args, mapped=False, kinds=tuple(NAMESPACES), mounts=(), **process):
    """A program and /proc; "process" in keywords."""
    kinds = [*kinds, *(["user"] if mapped else [])]
    config = {
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs"},
        "process": {"args": list(args), "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}, **process},
        "mounts": [PROC, *mounts],
        "linux": {"namespaces": [{"type": kind} for kind in kinds]},
    }
    if mapped:
        config["linux"].update(uidMappings=MAP, gidMappings=MAP)
    return config


def shell(script, **kwargs):
    return configuration("sh", "-c", script, **kwargs)


def run(place, config, **kwargs):
    need_root("start containers")
    fill(place)
    if any(entry["type"] == "user" for entry in config["linux"]["namespaces"]):
        os.chmod(place.path, 0o755)
        os.chown(place.rootfs, FIRST, FIRST)
    return tool.run("run", "--bundle", place.write(config), "test", **kwargs)


def fine(place, config, **kwargs):
    """What a container printed that ended well, and in silence."""
    result = run(place, config, **kwargs)
    equal((result.code, result.err), (0, ""))
    return result.out


def seen(place, config, *keys, **kwargs):
    """What the probe says, as a dict."""
    config["process"]["args"] = ["/bin/probe", *keys]
    return json.loads(fine(place, config, **kwargs))


def fails(place, config, *parts, **kwargs):
    """A run that is a failure of our own: exit status 1, one line, and nothing started."""
    result = run(place, config, **kwargs)
    line = one_line(result.err)
    equal((line, result.code, result.out), (line, 1, ""))
    contains(line, *parts)
