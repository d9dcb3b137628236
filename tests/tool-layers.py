# SPDX-License-Identifier: MIT
"""`syncdemo run` on a root file system of layers, which annotations name: ids and contents inside, and what is on disk when
the container is gone. tool-layers-options.py has what can be asked for beside, tool-layers-refused.py what cannot.

Prints TAP.
"""
import os
import select
import stat
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import FIRST
from layers import Image, older, run
from sources import file_system
from tool import MS_PRIVATE, MS_REC, MS_SHARED, checked, equal, libc, mount, ok

WORK = """
stat -c '%n %u:%g' of-0-0 of-1000-0 of-1000-{last} bin/busybox kept kept/of-1000
cat same
echo more >> of-0-0                     # copied up
echo more >> of-1000-{last}
echo new > new
mkdir directory
echo inner > directory/inner
busybox chown 1000:1000 directory/inner
busybox chown 1000:1000 kept            # a directory of the lowest layer
busybox ln -s new link
busybox rm -r of-0-{last} bin/grep
mkdir of-0-{last}                       # opaque, over what was there
stat -c '%n %u:%g' of-0-0 of-1000-{last} new directory directory/inner kept link of-0-{last}
cat of-1000-{last}
"""


def expect_work(out, last):
    """The ids inside are those on disk."""
    equal(out.splitlines(),
          ["of-0-0 0:0", "of-1000-0 1000:1000", "of-1000-%d 1000:1000" % last, "bin/busybox 0:0", "kept 0:0",
           "kept/of-1000 1000:1000", "layer 0",
           "of-0-0 0:0", "of-1000-%d 1000:1000" % last, "new 0:0", "directory 0:0", "directory/inner 1000:1000",
           "kept 1000:1000", "link 0:0", "of-0-%d 0:0" % last, "content", "more"])


def expect_on_disk(image, last):
    """Unshifted, and the layers as they were."""
    names = {"of-0-0": 0, "of-1000-%d" % last: 1000, "new": 0, "directory": 0, "directory/inner": 1000, "kept": 1000,
             "link": 0}
    # With one layer what is rewritten and what is deleted are the same file.
    if last == 0:
        del names["of-0-0"]
    equal({name: image.owner(name) for name in names}, names)
    whiteout = os.lstat(os.path.join(image.upper, "bin", "grep"))
    ok(stat.S_ISCHR(whiteout.st_mode) and whiteout.st_rdev == 0, "no whiteout")
    equal(whiteout.st_uid, 0)
    with open(os.path.join(image.upper, "of-1000-%d" % last), encoding="ascii") as file:
        equal(file.read(), "content\nmore\n")
    equal((image.owner("."), os.lstat(image.work).st_uid, os.lstat(image.work + "/work").st_uid), (0, 0, 0))
    equal(image.contents(), image.before)


def all_sizes(place, kind, mapped=True, front=()):
    with file_system(place, kind) as at:
        for n in (1, 3, 400, 500):
            image = Image(place, os.path.join(at, "of-%d" % n), n)
            expect_work(run(place, image.config("set -e\n" + WORK.format(last=n - 1), mapped), *front), n - 1)
            expect_on_disk(image, n - 1)


def on_tmpfs(place):
    """1, 3, 400 and 500 layers on tmpfs: ids inside are those on disk, before and after"""
    tool.need_mapped_tmpfs(place)
    all_sizes(place, "tmpfs")


def on_ext4(place):
    """the same on ext4"""
    all_sizes(place, "ext4")


def on_xfs(place):
    """the same on xfs"""
    all_sizes(place, "xfs")


def unmapped(place):
    """the same without a user namespace"""
    all_sizes(place, "tmpfs", mapped=False)


def old_kernel(place):
    """the same where the kernel takes no layers by descriptor"""
    tool.need_mapped_tmpfs(place)
    all_sizes(place, "tmpfs", front=older())


# ---- what the host sees of it ----------------------------------------------------

def shifted_for_the_host(place):
    """what the container writes as its root is its root's for the host, and other processes see the image as it is"""
    image = Image(place, place.path, 2)
    config = image.config("set -e; echo x > new; stat -c %u new; read -r line")
    with tool.start([tool.TOOL, "run", "--bundle", place.write(config), "test"], stdin=subprocess.PIPE) as process:
        equal(process.stdout.readline(), "0\n")
        pid = int(open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii").read().split()[0])
        equal(os.stat("/proc/%d/root/new" % pid).st_uid, FIRST)
        equal(os.stat("/proc/%d/root/of-1000-0" % pid).st_uid, FIRST + 1000)
        equal(os.listdir(place.rootfs), [])
        out, err = process.communicate("go\n", timeout=tool.TIMEOUT)
    equal((process.returncode, out, err, image.owner("new")), (0, "", "", 0))


def no_mount(place):
    """nothing of it appears in the host's table of mounts, not for a moment, also on an older kernel"""
    image = Image(place, place.path, 3)
    # As it is on most hosts: what is mounted elsewhere would arrive here.
    mount(None, "/", flags=MS_REC | MS_SHARED)
    try:
        with open("/proc/self/mountinfo", encoding="ascii") as table:
            poll = select.poll()
            poll.register(table, select.POLLPRI)
            poll.poll(0)
            for front in ([], older()):
                run(place, image.config("echo x >> of-0-1"), *front)
                equal(poll.poll(0), [])
            mount("seen", place.data, "tmpfs")
            equal(len(poll.poll(0)), 1)
            checked(libc.umount2(place.data.encode(), 0))
    finally:
        mount(None, "/", flags=MS_REC | MS_PRIVATE)


TESTS = [on_tmpfs, on_ext4, on_xfs, unmapped, old_kernel, shifted_for_the_host, no_mount]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
