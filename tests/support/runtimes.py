# SPDX-License-Identifier: MIT
"""One bundle under several runtimes, and what the probe inside reports, in a form that can be compared."""
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
import time

import tool
from container import CGROUPS, MASKED, PROBE, READ_ONLY, over
from tool import Skip, ok

TIMEOUT = 20
NEW = {"mount": ["--mount"], "pid": ["--pid", "--fork"], "user": ["--user"],
       "time": ["--time", "--fork", "--monotonic", "86400", "--boottime", "864000"]}
HOLDER = ["unshare", "--ipc", "--net", "--uts", "--cgroup", "sh", "-c", "echo; exec cat"]
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
COMMANDS = {"syncdemo": [], "crun": ["--cgroup-manager=disabled"], "runc": []}
IDS = {"uid": 200000, "gid": 265536}    # who root of a user namespace is outside
KNOWN = {"crun": "crun version 1.8.1", "runc": "runc version 1.1.5"}


@contextlib.contextmanager
def scene(place):
    """What bundles refer to: a shared tree with a mount of its own below, and a process with namespaces of its own."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(over(place.file("tree/"), "tmpfs", "mode=0755"))
        tool.mount(None, place.path + "/tree", flags=tool.MS_SHARED)
        stack.enter_context(over(place.file("tree/below/"), "tmpfs", "mode=0755"))
        stack.enter_context(over(CGROUPS, "cgroup2"))
        holder = stack.enter_context(subprocess.Popen(HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        holder.stdout.read(1)
        place.holder = holder.pid
        place.keyring = json.loads(subprocess.run([PROBE, "keyring"], stdout=subprocess.PIPE, check=True).stdout)["keyring"]
        yield


class Runtime:
    """A program that runs bundles."""

    def __init__(self, name):
        self.name, self.number = name, 0
        self.path = tool.TOOL if name == "syncdemo" else shutil.which(name, path=tool.PATH)
        if not self.path:
            raise Skip("no %s" % name)
        if name in KNOWN:
            said = subprocess.run([self.path, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
            ok(said, "no version of " + name)
            if not said.startswith(KNOWN[name]):
                raise Skip("what is known of differences is of %s, this is %s" % (KNOWN[name], said.split("\n", 1)[0]))

    def command(self, place):
        self.number += 1
        name = "equal-%d-%d" % (os.getpid(), self.number)
        root = [] if self.name == "syncdemo" else ["--root", place.file(self.name + "/")]
        return [self.path, *root, *COMMANDS[self.name], "run", "--bundle", place.bundle, name]


def fresh(place):
    """A root file system that no runtime has been in, and directories of which the same is true."""
    for name in ("bundle/rootfs", "data", "logs"):
        shutil.rmtree(os.path.join(place.path, name), ignore_errors=True)
    for name in ("bin", "proc", "dev", "sys", "data", "etc", "tmp", "ids", "logs"):
        place.file("bundle/rootfs/%s/" % name)
    binaries = os.path.join(place.rootfs, "bin")
    kept = place.file("kept/")
    for name, path in (("probe", PROBE), ("busybox", shutil.which("busybox"))):
        if not os.path.exists(os.path.join(kept, name)):
            shutil.copy(path, os.path.join(kept, name))
        os.link(os.path.join(kept, name), os.path.join(binaries, name))
    for name in ("sh", "cat", "echo"):
        os.symlink("busybox", os.path.join(binaries, name))
    place.file("bundle/rootfs/etc/secret", "secret\n")
    place.file("bundle/rootfs/etc/directory/inner", "inner\n")
    place.file("bundle/rootfs/tmp/below", "below\n", (5, 6))
    os.chmod(os.path.join(place.rootfs, "tmp"), 0o1777)
    os.symlink("/etc/directory", os.path.join(place.rootfs, "link"))
    place.file("data/file", "content\n", (7, 8))
    place.file("data/inner/file", "inner\n", (1000, 1000))
    place.file("logs/")


@contextlib.contextmanager
def company(place, kind):
    """A process in a new namespace of this kind, for one container: what that does to it remains."""
    if not kind:
        place.company = place.holder
        yield
        return
    with subprocess.Popen(["unshare", *NEW[kind], "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.read(1)
        place.company = process.pid
        if "--fork" in NEW[kind]:
            with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as file:
                place.company = int(file.read())
        for name in ("uid", "gid") if kind == "user" else ():
            with open("/proc/%d/%s_map" % (process.pid, name), "w", encoding="ascii") as file:
                file.write("0 %d 65536" % IDS[name])
        yield


def as_written(place, config):
    """The configuration with this place's paths in it, in the bundle."""
    text = json.dumps(config).replace("@PLACE@", place.path).replace("@HOLDER@", str(place.holder))
    place.write(re.sub("@NEW:[a-z]+@", str(place.company), text))


def plainly(command, _):
    done = subprocess.run(command, input="", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="backslashreplace", timeout=TIMEOUT, check=False)
    return done.returncode, done.stdout, done.stderr


def on_terminal(command, size):
    """The same with a terminal of our own as its standard streams."""
    master, slave = pty.openpty()
    if size:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(slave)
    text = b""
    try:
        while True:
            text += os.read(master, 65536)
    except OSError:
        pass                            # the last one has closed the other end
    finally:
        os.close(master)
        try:
            process.wait(TIMEOUT)
        finally:
            process.kill()
    text = text.decode(errors="backslashreplace").replace("\r\n", "\n")
    begin = text.find("{\n")
    return (process.returncode, "", text) if begin < 0 else (process.returncode, text[begin:], text[:begin])


def report(place, runtime, config, size=None):
    """(what the probe says, flat, or None; what the runtime says). What hooks wrote is part of it."""
    fresh(place)
    kind = re.search("@NEW:([a-z]+)@", json.dumps(config))
    with company(place, kind and kind.group(1)):
        as_written(place, config)
        return run_one(place, runtime, config, size)


def run_one(place, runtime, config, size):
    terminal = config.get("process", {}).get("terminal")
    begun = {"monotonic": time.monotonic(), "boottime": time.clock_gettime(time.CLOCK_BOOTTIME)}
    code, out, err = (on_terminal if terminal else plainly)(runtime.command(place), size)
    err = err.replace("syncdemo: warning: config.json: linux.resources: cgroups are not managed\n", "")
    if code != 0:
        return None, err or "exit status %d: %s" % (code, out)
    try:
        said = json.loads(out)
    except ValueError:
        return None, "no report: %r %r" % (out, err)
    found = flatten(said, place, begun)
    found.update(hooks_said(place))
    return found, err


# ---- in a form that can be compared ----------------------------------------

def anonymous(text, place):
    text = text.replace(place.path, "@PLACE@")
    return re.sub(r"((?:pipe|socket|anon_inode):)\[[^]]*\]", r"\1", text)


def mount_lines(text, place):
    """One entry for each mount, by its place and how many came there before; devices and ids differ from run to run."""
    order, times, found = [], {}, {}
    if " - " not in text:
        return {"mounts": text}         # there is no /proc
    for line in text.splitlines():
        front, _, back = line.partition(" - ")
        fields = front.split()
        kind, source, data = (back.split(" ", 2) + [""])[:3]
        at = fields[4]
        times[at] = times.get(at, 0) + 1
        name = "mount %s%s" % (at, "" if times[at] == 1 else "#%d" % times[at])
        order.append(name)
        found[name + " attributes"] = " ".join(sorted(fields[5].split(",")))
        found[name + " propagation"] = " ".join(word.split(":")[0] for word in fields[6:])
        found[name + " type"] = kind
        found[name + " source"] = anonymous(source, place)
        found[name + " root"] = anonymous(re.sub(r"^.*/tmp\w+/(?=bundle|data|logs)", "", fields[3]), place)
        found[name + " data"] = " ".join(sorted(data.split(",")))
    found["mounts"] = " ".join(order)
    return found


def namespace_words(inside, place):
    words = {}
    for name in NAMESPACES:
        known = {os.stat("/proc/%s/ns/%s" % (pid, name)).st_ino: word for pid, word in (
            (place.holder, "joined"), (place.company, "joined"), ("self", "host"))}
        words["namespace " + name] = known.get(inside[name], "new") if name in inside else "none"
    return words


def flatten(said, place, begun):
    found = {}
    found.update(mount_lines(said.pop("mountinfo"), place))
    found.update(namespace_words(said.pop("namespaces"), place))
    pid = said["ids"].pop("pid")
    if found["namespace pid"] == "host":
        said["ids"]["ppid"] = "another" if said["ids"]["ppid"] > 1 else said["ids"]["ppid"]
    else:
        said["ids"]["first"] = pid == 1
    said["ids"].update(pgid=said["ids"]["pgid"] == pid, sid=said["ids"]["sid"] == pid)
    for path in (*READ_ONLY, *MASKED):  # file systems, interrupts, keys and timers come and go
        if isinstance(said.get(path), dict):
            said[path]["holds"] = bool(said[path]["holds"])
    for clock, value in said.pop("clocks").items():
        found["clock " + clock] = round((value - begun[clock]) / 100) * 100
    for fd, target in said.pop("descriptors").items():
        found["descriptor " + fd] = anonymous(target, place)
    if isinstance(said["keyring"], list):       # name and rights are for those who enter a running container
        said["keyring"] = "host" if said["keyring"] == place.keyring else "new"
    if said["scheduler"]["policy"] != 6:
        said["scheduler"]["runtime"] = 0        # newer kernels tell the length of a slice there
    for key, value in said.items():
        if isinstance(value, dict):
            for name, part in value.items():
                found["%s %s" % (key, name)] = part
        else:
            found[key] = value
    return {key: anonymous(value, place) if isinstance(value, str) else value for key, value in found.items()}


def hooks_said(place):
    """What hooks wrote: a line with their name, then the state that they were given."""
    found, order = {}, []
    path = os.path.join(place.path, "logs", "log")
    if not os.path.exists(path):
        return found
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, text = line.strip().partition(" ")
            order.append(name)
            state = json.loads(text)
            for key in ("id", "pid"):
                found["hook %s %s" % (name, key)] = "there" if state.pop(key, None) else "none"
            for key, value in state.items():
                found["hook %s %s" % (name, key)] = anonymous(value, place) if isinstance(value, str) else value
    found["hooks"] = " ".join(order)
    return found


def differences(ours, theirs):
    """[(key, ours, theirs)]"""
    keys = sorted(set(ours) | set(theirs))
    return [(key, ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)]
