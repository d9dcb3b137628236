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
APPLETS = "cat chmod echo find id ls mkdir mount readlink sh sleep sort stat touch true wc grep head".split()


def is_static(path):
    """An ELF file that names no interpreter."""
    with open(path, "rb") as file:
        return b"/ld-" not in file.read(4096)


def fill(place):
    """A root file system that needs no library."""
    busybox = shutil.which("busybox")
    if not busybox or not is_static(busybox):
        raise Skip("no static busybox")
    if not os.path.exists(PROBE):
        raise Skip("tests/support/probe is not built")
    binaries = place.file("bundle/rootfs/bin/")
    if os.path.exists(binaries + "/probe"):
        return
    shutil.copy(busybox, binaries + "/busybox")
    shutil.copy(PROBE, binaries + "/probe")
    for name in APPLETS:
        os.symlink("busybox", binaries + "/" + name)
    for name in ("proc", "dev", "sys", "tmp"):
        place.file("bundle/rootfs/%s/" % name)
    # For a shell that starts something in the background.
    os.chmod(place.file("bundle/rootfs/dev/null"), 0o666)


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


def prepared(place, config):
    """The bundle, filled at the first call."""
    need_root("start containers")
    fill(place)
    if any(entry["type"] == "user" for entry in config.get("linux", {}).get("namespaces") or []):
        os.chmod(place.path, 0o755)
        os.chown(place.rootfs, FIRST, FIRST)
    return place.write(config)


def start(place, config, *options, command=(tool.TOOL,), **kwargs):
    return tool.start([*command, "run", "--bundle", prepared(place, config), *options, "test"], **kwargs)


def run(place, config, *options, **kwargs):
    return tool.finish(start(place, config, *options, **kwargs))


def ordinary(place, config, prefix=(), options=()):
    """What an ordinary user's run printed, with the one id of a user namespace of his own."""
    fill(place)
    uid, gid = (65533, 65533) if tool.ROOT else (os.getuid(), os.getgid())
    kinds = [entry["type"] for entry in config["linux"]["namespaces"]]
    config["linux"]["namespaces"] += [{"type": "user"}] if "user" not in kinds else []
    config["linux"].update(uidMappings=tool.extents("0:%d:1" % uid), gidMappings=tool.extents("0:%d:1" % gid))
    os.chmod(place.path, 0o755)
    place.write(config)
    program, environment = tool.copy_tool(place)
    for path, directories, files in os.walk(place.bundle):
        for name in [path, *(os.path.join(path, one) for one in directories + files)]:
            os.chown(name, uid, gid, follow_symlinks=False)
    result = tool.finish(tool.start([*prefix, program, "run", "--bundle", place.bundle, *options, "test"],
                                    preexec_fn=tool.ordinary_user, env=environment))
    if "clone3: Operation not permitted" in result.err or "unshare: Operation not permitted" in result.err:
        raise Skip("no user namespaces here: " + one_line(result.err))
    if "is masked or read-only here" in result.err:
        raise Skip("no procfs of one's own here: " + one_line(result.err))
    equal((result.code, result.err), (0, ""))
    return result.out


def fine(place, config, err="", **kwargs):
    """What a container printed that ended well, and in silence."""
    result = run(place, config, **kwargs)
    equal((result.code, result.err), (0, err))
    return result.out


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def mask(*numbers):
    """A set of capabilities, as the kernel shows it."""
    return "%016x" % sum(1 << number for number in numbers)


def namespace_numbers(pid="self"):
    """Which ones a process is in."""
    return {kind: os.stat("/proc/%s/ns/%s" % (pid, kind)).st_ino for kind in (*NAMESPACES.values(), "user", "time")}


def seen(place, config, *keys, **kwargs):
    """What the probe says, as a dict."""
    config["process"]["args"] = ["/bin/probe", *keys]
    return json.loads(fine(place, config, **kwargs))


def fails(place, config, *parts, options=(), **kwargs):
    """A run that is a failure of our own: exit status 1, one line, and nothing started."""
    result = run(place, config, *options, **kwargs)
    line = one_line(result.err)
    equal((line, result.code, result.out), (line, 1, ""))
    contains(line, *parts)
