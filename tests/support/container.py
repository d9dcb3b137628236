# SPDX-License-Identifier: MIT
"""Containers for tests of what is seen inside: a root file system of busybox and a probe alone, and the child half started
in namespaces of its own, with our parent half.
"""
import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys

import tool
from tool import OUR_INIT, OUR_PARENT, Skip, checked, contains, converse, equal, libc, mount, need_root, one_line

PROBE = os.path.join(tool.BUILD, "tests", "support", "probe")
CGROUPS = "/sys/fs/cgroup"
# The launcher stays where it was: before Linux 6.11 init, in a PID namespace, can compare its mount namespace with no
# other's.
UNSHARE = ["unshare", "--pid", "--fork", "--ipc", "--net", "--uts", "unshare", "--mount", "--propagation", "unchanged"]
OUTSIDE = 100000        # who root of a user namespace is outside


def entry(destination, kind, *options, source=None):
    return {"destination": destination, "type": kind, "source": source or kind, "options": list(options)}


PROC = entry("/proc", "proc")
DEV = entry("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k")
PTS = entry("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
SHM = entry("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k", source="shm")
MQUEUE = entry("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev")
SYS = entry("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro")
CGROUP = entry(CGROUPS, "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")
DEFAULT = [PROC, DEV, PTS, SHM, MQUEUE, SYS, CGROUP]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
NODES = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def need_container():
    need_root("start containers")
    if not shutil.which("unshare"):
        raise Skip("no unshare(1)")
    if not os.path.exists(PROBE):
        raise Skip("tests/support/probe is not built")


def fill(place):
    """A root file system of busybox and the probe alone."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise Skip("no busybox")
    binaries = place.file("bundle/rootfs/bin/")
    if not os.path.exists(binaries + "/busybox"):
        shutil.copy(busybox, binaries + "/busybox")
        shutil.copy(PROBE, binaries + "/probe")
        for name in subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
            if name not in ("busybox", "probe"):
                os.symlink("busybox", binaries + "/" + name)


def configure(place, script, entries, namespaces="pid mount ipc uts network cgroup", **linux):
    fill(place)
    return {"ociVersion": "1.0.2", "root": {"path": "rootfs"},
            "process": {"args": ["/bin/sh", "-c", script], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
            "mounts": list(entries),
            "linux": dict(linux, namespaces=[{"type": name} for name in namespaces.split()])}


# Becomes id 0 of new namespaces, whose maps another process writes, and is what is told in a PID namespace of its own.
LAUNCHER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
flags, first, count = map(int, sys.argv[1:4])
ask, answer = os.pipe(), os.pipe()
if os.fork() == 0:
    os.read(ask[0], 1)
    for name in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (os.getppid(), name), "w") as file:
            file.write("0 %d %d" % (first, count))
    os.write(answer[1], b"1")
    os._exit(0)
if libc.unshare(flags & ~0x20000):
    sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
os.write(ask[1], b"1")
os.close(answer[1])
if not os.read(answer[0], 1):
    sys.exit("no id maps")
os.wait()
os.setgroups([])
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
pid = os.fork()
if pid == 0:
    libc.unshare(flags & 0x20000)
    os.execvp(sys.argv[4], sys.argv[4:])
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
NEW = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000,
       "network": 0x40000000}


def in_user_namespace(place, config, count=65536):
    """The same in the namespaces that the configuration names, and a user namespace."""
    os.chmod(place.path, 0o755)
    program, environment = tool.copy_tool(place)
    os.chown(place.rootfs, OUTSIDE, OUTSIDE)
    flags = sum(NEW[item["type"]] for item in config["linux"]["namespaces"]) | NEW["user"]
    command = [sys.executable, place.file("launcher.py", LAUNCHER), str(flags), str(OUTSIDE), str(count),
               program, "init", "--sync-fd", "{fd}", "--bundle", place.write(config)]
    return converse(command, [*OUR_PARENT, "--bundle", place.bundle], preexec=None, env=environment)


def as_root(place, config):
    flags = ["--cgroup"] if {"type": "cgroup"} in config["linux"]["namespaces"] else []
    return converse([*UNSHARE, *flags, *OUR_INIT, "--bundle", place.write(config)],
                    [*OUR_PARENT, "--bundle", place.bundle])


def fine(result):
    """What the container printed, if both halves ended well and in silence."""
    child, parent = result
    equal((child.code, child.err, parent), (0, "", (0, "", "")))
    return child.out


def output(place, script, entries, start=as_root, readonly=False, **kwargs):
    config = configure(place, script, entries, **kwargs)
    config["root"]["readonly"] = readonly
    return fine(start(place, config))


def fails(place, entries, *parts, start=as_root, **kwargs):
    """A container that must not come up, and the one line that says so; both halves say the same."""
    child, parent = start(place, configure(place, "echo started", entries, **kwargs))
    # An emulated processor may be slower than the parent is patient, which then says it alone.
    late = tool.PATIENCE > 1 and child.code == -9
    text = one_line(parent.err if late and not child.err else child.err)
    equal((1 if late else child.code, child.out, parent.code), (1, "", 1))
    contains(text, *parts)
    contains(parent.err, *parts)
    return text


def mounted(text):
    """{mount point: (attributes, propagation, type, source, options of the file system)}; the last of each."""
    found = {}
    for line in text.splitlines():
        front, _, back = line.partition(" - ")
        fields = front.split()
        kind, source, data = back.split(" ", 2)
        attributes = set(fields[5].split(",")) - {"relatime"}
        found[fields[4]] = (attributes, [word.split(":")[0] for word in fields[6:]], kind, source, set(data.split(",")))
    return found


def seen(place, entries, script="", **kwargs):
    return mounted(output(place, script + "cat /proc/self/mountinfo", entries, **kwargs))


def devices(place, entries=(PROC, DEV, PTS), **kwargs):
    return json.loads(output(place, "exec probe devices", entries, **kwargs))["devices"]


@contextlib.contextmanager
def over(path, kind, data=None):
    """A file system of the test's own at a place of the host's."""
    there = False
    try:
        mount(kind, path, kind, data=data)
    except OSError as error:
        there = error.errno == errno.EBUSY      # the one that would be mounted
        if not there:
            raise
    try:
        yield
    finally:
        if not there:
            checked(libc.umount2(path.encode(), 2))
