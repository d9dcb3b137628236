# SPDX-License-Identifier: MIT
"""`syncdemo run`: another process swaps directories of the root file system for symlinks, as fast as it can, while
containers start.

Prints TAP.
"""
import contextlib
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import configuration, fill
from container import entry, over
from tool import Skip, bind, equal, need_root, ok, one_line

SECONDS = 60 if os.environ.get("INITSYNC_LONG") else 3
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
WATCH = os.path.join(tool.BUILD, "tests", "support", "watch-syscall")
NEW_CALLS = (*range(428, 434), 442, 467)        # open_tree(2) and all the others, the same on every architecture
SWAPPER = """
import ctypes, sys
libc = ctypes.CDLL(None)
one, other = sys.argv[1].encode(), sys.argv[2].encode()
while libc.renameat2(-100, one, -100, other, 2) == 0:
    pass
sys.exit("renameat2")
"""


@contextlib.contextmanager
def swapping(one, other):
    process = subprocess.Popen([sys.executable, "-c", SWAPPER, one, other])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def exchange(one, other):
    os.rename(one, one + ".aside")
    os.rename(other, one)
    os.rename(one + ".aside", other)


def everything(top):
    return sorted((os.path.relpath(os.path.join(root, name), top), os.lstat(os.path.join(root, name)).st_mode)
                  for root, directories, files in os.walk(top) for name in directories + files)


def runs(place, entries, prefix=(), **linux):
    """How the containers ended that were started while the swapping went on; what they left outside must be nothing, and
    what a container has inside must be all of its mounts."""
    need_root("start containers")
    fill(place)
    place.file("bundle/rootfs/way/real/secret", "x\n")
    outside = place.file("outside/")
    place.file("outside/secret", "host\n")
    place.file("outside/sub/file", "host\n")
    os.symlink(os.path.relpath(outside, place.rootfs + "/way"), place.rootfs + "/way/link")
    os.symlink(outside, place.rootfs + "/way/absolute")
    config = configuration("/bin/sh", "-c", "cat /proc/self/mountinfo", mounts=entries)
    config["linux"].update(linux)
    place.write(config)
    before, table = everything(outside), tool.mounts()
    ended = {0: 0, 1: 0}
    for link in ("link", "absolute"):
        with swapping(place.rootfs + "/way/real", place.rootfs + "/way/" + link) as swapper:
            end = time.monotonic() + SECONDS / 2
            while time.monotonic() < end:
                result = tool.finish(tool.start([*prefix, tool.TOOL, "run", "--bundle", place.bundle, "test"]))
                if result.code:
                    one_line(result.err)
                else:
                    equal((len(result.out.splitlines()), result.out), (2 + len(entries), result.out))
                ended[result.code] += 1
                equal(tool.mounts(), table)
            equal(swapper.poll(), None)
        # Whatever was swapped last: the next round starts with the directory in its place.
        if os.path.islink(place.rootfs + "/way/real"):
            exchange(place.rootfs + "/way/real", place.rootfs + "/way/" + link)
    equal(everything(outside), before)
    with open(outside + "/secret", encoding="ascii") as file:
        equal(file.read(), "host\n")
    return ended


def aims(place):
    return [entry("/way/real/sub", "tmpfs"), entry("/way/real/new/deep", "tmpfs", "tmpcopyup"),
            bind(place.data + "/file", "/way/real/made"), bind(place.data, "/way/real/other")]


def destinations(place):
    """mount points are made in the root file system or not at all"""
    ended = runs(place, aims(place))
    ok(ended[0] > 0, ended)


def by_mount(place):
    """the same by mount(2), where the kernel has none of the calls that make detached mounts"""
    if not os.path.exists(DENY):
        raise Skip("tests/support/deny-syscall is not built")
    ended = runs(place, aims(place), [DENY, ",".join("%d:ENOSYS" % number for number in NEW_CALLS), "--"])
    ok(ended[0] > 0, ended)


def at_mount(place):
    """the same by mount(2), by one who swaps whenever that is about to be made"""
    need_root("start containers")
    if not os.path.exists(WATCH):
        raise Skip("tests/support/watch-syscall is not built")
    fill(place)
    paths = [place.rootfs + "/way/real", place.rootfs + "/way/link"]
    place.file("bundle/rootfs/way/real/sub/")
    outside = place.file("outside/")
    place.file("outside/sub/file", "host\n")
    os.symlink(outside, paths[1])
    place.write(configuration("/bin/sh", "-c", "cat /proc/self/mountinfo", mounts=[entry("/way/real/sub", "tmpfs")]))
    before, table, ended = everything(outside), tool.mounts(), {0: 0, 1: 0}
    # What is where in the beginning decides what is where when the mount point is opened.
    for first in range(2):
        if os.path.islink(paths[0]) != bool(first):
            exchange(*paths)
        result = tool.finish(tool.start([WATCH, "--exchange", *paths, "/dev/null", "mount", "--",
                                         DENY, ",".join("%d:ENOSYS" % number for number in NEW_CALLS), "--",
                                         tool.TOOL, "run", "--bundle", place.bundle, "test"]))
        if result.code:
            one_line(result.err)
        else:
            equal((len(result.out.splitlines()), result.out), (3, result.out))
        ended[result.code] += 1
        equal(tool.mounts(), table)
    equal(everything(outside), before)
    ok(ended[0] > 0, ended)


def root(place):
    """the root file system itself is another directory by now: nothing of the set-up is made in that"""
    need_root("start containers")
    if not os.path.exists(DENY):
        raise Skip("tests/support/deny-syscall is not built")
    fill(place)
    other = place.file("mounted/")
    os.symlink(other, place.bundle + "/link")
    place.write(configuration("/bin/true"))
    before, ended = sorted(os.listdir(place.rootfs)), {0: 0, 1: 0}
    with over(other, "tmpfs", "mode=0755"), swapping(place.rootfs, place.bundle + "/link") as swapper:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            result = tool.finish(tool.start([DENY, "430:ENOSYS", "--", tool.TOOL, "run", "--bundle", place.bundle, "test"]))
            if result.code:
                one_line(result.err)
            ended[result.code] += 1
        equal(swapper.poll(), None)
        # At its place the root file system is nobody's; in the other one mount points may have been made, and no numbers.
        equal([name for name in os.listdir(other) if name.isdigit()], [])
    ok(all(name in ("dev", "proc", "sys") or name in before for name in os.listdir(place.rootfs)), before)
    ok(sum(ended.values()) > 0, ended)


def masks(place):
    """masked and read-only paths: a mask that went to what was there a moment ago is an error, by name"""
    need_root("start containers")
    fill(place)
    for name in ("one", "other"):
        place.file("bundle/rootfs/way/%s/secret" % name, "x\n")
    config = configuration("/bin/true")
    for key in ("maskedPaths", "readonlyPaths"):
        config["linux"][key] = ["/way/one/secret"] * 20
        place.write(config)
        lines = set()
        with swapping(place.rootfs + "/way/one", place.rootfs + "/way/other"):
            end = time.monotonic() + max(SECONDS, 40 * tool.PATIENCE)  # it ends with the first
            while time.monotonic() < end and not lines:
                result = tool.run("run", "--bundle", place.bundle, "test")
                if result.code:
                    lines.add(one_line(result.err))
        ok(lines and all("config.json: linux." + key in line and "was exchanged meanwhile" in line for line in lines),
           (key, lines))
        del config["linux"][key]


def devices(place):
    """devices and the working directory are made in the root file system or not at all"""
    ended = runs(place, [entry("/dev", "tmpfs")], devices=[{"path": "/way/real/null", "type": "c", "major": 1, "minor": 3}])
    ok(sum(ended.values()) > 0, ended)


def dev(place):
    """the directory that the container's /dev is mounted on: devices and links go into that mount"""
    need_root("start containers")
    fill(place)
    outside = place.file("outside/")
    place.file("bundle/rootfs/dev/")
    place.file("bundle/rootfs/host/")
    os.symlink("host", place.rootfs + "/link")
    config = configuration("/bin/true", mounts=[entry("/dev", "tmpfs"), bind(outside, "/host", "bind")])
    config["linux"]["devices"] = [{"path": "/dev/%d" % i, "type": "c", "major": 1, "minor": 3} for i in range(200)]
    place.write(config)
    ended = {0: 0, 1: 0}
    with swapping(place.rootfs + "/dev", place.rootfs + "/link") as swapper:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not os.listdir(outside):
            result = tool.finish(tool.start([tool.TOOL, "run", "--bundle", place.bundle, "test"]))
            ended[min(result.code, 1)] += 1
        equal(swapper.poll(), None)
    equal(os.listdir(outside), [])
    ok(sum(ended.values()) > 0, ended)


TESTS = [destinations, by_mount, at_mount, root, masks, devices, dev]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
