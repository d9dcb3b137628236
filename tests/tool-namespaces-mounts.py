# SPDX-License-Identifier: MIT
"""`syncdemo run` in a mount namespace that exists already: who is in it finds himself in the container. Prints TAP."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import PROC, configuration, fails, fill, fine, namespace_numbers
from container import entry, mounted
from elsewhere import elsewhere, joining
from tool import Skip, bind, equal, need_root


def table(pid):
    """Its mounts, without the numbers of file systems, which come and go."""
    return [line.split(" ", 3)[3] for line in tool.mounts(pid).splitlines()]


def of_mounts(place):
    """a mount namespace: the container is set up in there, and all who are in it find themselves in the container"""
    tool.need_idmap(place)
    mark = place.file("mark/")
    host = tool.mounts()
    with elsewhere("mount") as pid:
        config = joining(pid, "mount", new=("pid", "ipc"))
        config["mounts"] = [PROC, bind(place.data, "/a"), bind(place.data, "/b", uids="7:5:1", gids="8:6:1")]
        config["process"]["args"] = ["sh", "-c", "readlink /proc/self/ns/mnt; stat -c %u:%g /a/file /b/file; ls /; "
                                     "cat /proc/self/mountinfo"]
        number, plain, mapped, *names = fine(place, config).splitlines()
        equal((number, plain, mapped), ("mnt:[%d]" % namespace_numbers(pid)["mnt"], "7:8", "5:6"))
        equal(sorted(name for name in names if " " not in name), sorted(os.listdir(place.rootfs)))
        equal(os.listdir("/proc/%d/root" % pid), os.listdir(place.rootfs))
        equal(table(pid), [line.split(" ", 3)[3] for line in names if " " in line])
        equal(tool.mounts(), host)
    # What it could see alone is the source of a bind.
    with elsewhere("mount") as pid:
        subprocess.run(["nsenter", "-t", str(pid), "-m", "mount", "-t", "tmpfs", "only-there", mark], check=True)
        config = joining(pid, "mount", new=())
        config["mounts"] = [PROC, bind(mark, "/mark")]
        config["process"]["args"] = ["cat", "/proc/self/mountinfo"]
        equal(mounted(fine(place, config))["/mark"][3], "only-there")
    equal(tool.mounts(), host)


def of_mounts_refused(place):
    """a mount namespace that this program or process 1 is in, or that is none; one in which it fails stays as it was"""
    need_root("make namespaces")
    for path, text in (("/proc/self/ns/mnt", "the mount namespace that this program is in"),
                       ("/proc/self/ns/uts", "/proc/self/ns/uts: no mount namespace")):
        config = configuration("echo", "started", kinds=("pid",))
        config["linux"]["namespaces"].append({"type": "mount", "path": path})
        fails(place, config, "config.json: linux.namespaces[1].path: " + text)
    # One of a PID namespace of its own: not always may that of all be opened.
    config["linux"]["namespaces"][1]["path"] = "/proc/1/ns/mnt"
    first = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", 'unshare --mount "$@"; exit $?', "sh"]
    result = tool.finish(tool.start([*first, tool.TOOL, "run", "--bundle", place.write(config), "test"]))
    equal((result.code, tool.one_line(result.err)), (
        1, "config.json: linux.namespaces[1].path: the mount namespace of process 1, whose root would be the container's"))
    with elsewhere("mount") as pid:
        before = table(pid)
        config = joining(pid, "mount", new=("pid",))
        config["process"]["args"] = ["echo", "started"]
        for change in ({"mounts": [PROC, bind(place.data, "/a"), bind("/none", "/b")]},
                       {"hooks": {"createContainer": [{"path": "/bin/false"}]}}):
            fails(place, config | change, "config.json: %s" % next(iter(change)))
            equal(table(pid), before)


def of_mounts_undone(place):
    """a mount namespace whose root directory has been changed when it fails: it is changed back"""
    need_root("make namespaces")
    fill(place)
    with elsewhere("mount") as pid:
        before = table(pid), os.listdir("/proc/%d/root" % pid)
        config = joining(pid, "mount", new=("pid",))
        config["process"]["args"] = ["echo", "started"]
        command = [*tool.strace("-f", "-o", "/dev/null", "-e", "trace=umount2", "-e", "inject=umount2:error=EBUSY:when=1"),
                   tool.TOOL, "run", "--bundle", place.write(config), "test"]
        result = tool.finish(tool.start(command), 3 * tool.TIMEOUT)
        equal((result.code, result.out), (1, ""))
        tool.contains(tool.one_line(result.err), "old root: umount2: Device or resource busy")
        equal((table(pid), os.listdir("/proc/%d/root" % pid)), before)


def of_mounts_old(place):
    """a mount namespace, where the kernel has no fsmount(2): refused, nothing is mounted in there"""
    deny = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
    need_root("make namespaces")
    if not os.path.exists(deny):
        raise Skip("tests/support/deny-syscall is not built")
    with elsewhere("mount") as pid:
        before = table(pid)
        config = joining(pid, "mount", new=("pid",))
        config["process"]["args"] = ["echo", "started"]
        fill(place)
        command = [deny, "432:ENOSYS", "--", tool.TOOL, "run", "--bundle", place.write(config), "test"]
        result = tool.finish(tool.start(command))
        equal((result.code, result.out), (1, ""))
        tool.contains(tool.one_line(result.err), "config.json: linux.namespaces: a mount namespace that exists: fsmount: ")
        equal(table(pid), before)


def of_mounts_false(place):
    """a mount namespace whose /proc tells of control groups at a place that is none: they are left out"""
    script = """mount -t tmpfs none /sys/fs/cgroup && mount -t tmpfs none /proc && mkdir /proc/thread-self || exit
        echo '1 2 0:99 / nowhere rw - cgroup cgroup rw,cpu' >/proc/thread-self/mountinfo"""
    with elsewhere("mount") as pid:
        subprocess.run(["nsenter", "-t", str(pid), "-m", "sh", "-c", script], check=True)
        config = joining(pid, "mount", new=())
        config["mounts"] = [entry("/sys/fs/cgroup", "cgroup")]
        config["process"]["args"] = ["echo", "started"]
        equal(fine(place, config), "started\n")


TESTS = [of_mounts, of_mounts_refused, of_mounts_undone, of_mounts_old, of_mounts_false]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
