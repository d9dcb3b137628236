# SPDX-License-Identifier: MIT
"""Copies of the tool that play the host's file, containers that they run, and how those were sealed."""
import contextlib
import fcntl
import hashlib
import os
import subprocess

import tool
from tool import equal, need_root

HOSTILE = os.path.join(tool.BUILD, "tests", "support", "hostile")
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
PROC = {"destination": "/proc", "type": "proc", "source": "proc"}
F_ADD_SEALS, F_GET_SEALS, ALL_SEALS = 1033, 1034, 15
# fsconfig(FSCONFIG_SET_FD), as below Linux 6.13; nothing else in the tool uses it.
NO_OVERLAY = "431/1=5:EINVAL"

# Everything that a container's root may ever be given, but CAP_MKNOD, of which there is a warning, and no use here.
CAPABILITIES = ["CAP_" + name for name in (
    "SYS_ADMIN SYS_PTRACE DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID CHOWN KILL LINUX_IMMUTABLE SETUID SETGID SETFCAP "
    "SYS_RAWIO SYS_CHROOT").split()]


# ---- the host's file -------------------------------------------------------------

class Host:
    """A copy of the tool, and what it was before."""

    def __init__(self, place, dynamic=False):
        os.chmod(place.path, 0o755)
        self.program, self.environment = tool.copy_tool(place, dynamic)
        self.before = self.look()

    def look(self):
        """Contents, and the time of the last change of anything about the file but its times of reading."""
        st = os.stat(self.program)
        with open(self.program, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        return digest, st.st_ino, st.st_mode, st.st_uid, st.st_nlink, st.st_size, st.st_mtime_ns, st.st_ctime_ns

    def start(self, *args, denied=None, **kwargs):
        kwargs.setdefault("env", self.environment)
        command = [self.program, *args]
        if denied:
            command = [DENY, denied, "--", *command]
        return tool.start(command, **kwargs)

    def run(self, place, config, **kwargs):
        process = self.start("run", "--bundle", place.write(config), "test", **kwargs)
        return tool.finish(process, 3 * tool.TIMEOUT)

    def unchanged(self):
        equal(self.look(), self.before)


def configuration(place, *args, namespaces=("mount", "pid"), env=(), **changes):
    """A container with the host's programs, /own for the test's things, and all that root can do."""
    need_root("start containers")
    own = place.file("bundle/rootfs/own/")
    place.file("bundle/rootfs/own/scratch")
    place.file("bundle/rootfs/dev/null")        # for a shell that starts something in the background
    if os.path.exists(HOSTILE):
        tool.install(HOSTILE, own + "/hostile")
    place.file("bundle/rootfs/proc/")
    config = place.config(entries=[PROC], **changes)
    sets = dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES)
    config["process"].update(args=list(args), capabilities=sets)
    config["process"]["env"] += env
    config["linux"]["namespaces"] = [{"type": kind} for kind in namespaces]
    return config


def shell(place, script, **kwargs):
    return configuration(place, "/bin/sh", "-c", script, **kwargs)


# ---- how a process was sealed ----------------------------------------------------

def kind(pid):
    """ "overlay", "memfd" or, for what is not sealed, its path."""
    exe = "/proc/%d/exe" % pid
    link = os.readlink(exe)
    fd = os.open(exe, os.O_PATH)
    try:
        with open("/proc/self/fdinfo/%d" % fd, encoding="ascii") as file:
            number = [line.split()[1] for line in file if line.startswith("mnt_id")][0]
    finally:
        os.close(fd)
    if number in [line.split()[0] for line in tool.mounts(pid).splitlines()]:
        return link
    if link.startswith("/memfd:"):
        with open(exe, "rb") as file:
            return "memfd" if fcntl.fcntl(file, F_GET_SEALS) & ALL_SEALS == ALL_SEALS else link
    return "overlay" if link.count("/") == 1 else link


def running(host, place, **kwargs):
    """The kind of the parent's and of the child's executable, before that becomes the program."""
    place.file("bundle/rootfs/own/")
    config = shell(place, "echo ready; read x", namespaces=["mount"])
    config["mounts"].remove(PROC)
    process = host.start("run", "--bundle", place.write(config), "test", stdin=subprocess.PIPE, **kwargs)
    try:
        equal((process.stdout.readline(), process.poll()), ("ready\n", None))
        return kind(process.pid), held(process.pid, host.program)
    finally:
        process.stdin.close()
        process.stdin = None
        equal(tool.finish(process).code, 1)


def held(pid, path):
    """Descriptors, and mappings, of a process that are the file at @path or its directory."""
    wanted = [os.stat(name) for name in (path, os.path.dirname(path))]
    wanted = [(st.st_dev, st.st_ino) for st in wanted]
    found = []
    for where in ("fd", "map_files"):
        for name in os.listdir("/proc/%d/%s" % (pid, where)):
            with contextlib.suppress(FileNotFoundError):        # closed meanwhile
                st = os.stat("/proc/%d/%s/%s" % (pid, where, name))
                if (st.st_dev, st.st_ino) in wanted:
                    found.append((where, name))
    return found


def best():
    """The way of sealing where all is there: overlayfs takes layers by descriptor from Linux 6.15 on, and statmount(2) tells
    one."""
    return "overlay" if tool.feature("overlay_layer_fd") and tool.feature("statmount") else "memfd"


def began(path):
    """How often the traced tool went on from a copy: without an execution, and with one."""
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    return (len([line for line in lines if "prctl(PR_SET_MM, PR_SET_MM_MAP" in line and line.endswith(" = 0\n")]),
            len([line for line in lines if "execveat(" in line]))
