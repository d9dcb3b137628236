# SPDX-License-Identifier: MIT
"""File systems of many types with the same small tree in them: source/ and other/, both with a file of 0 and one of 1000,
and source/below/. Loop devices go away with their file systems, which are in the mount namespace of the test alone.
"""
import contextlib
import os
import shutil
import subprocess

import tool
from tool import MS_BIND, Skip, checked, libc, mount, ok

MAKE = {        # MiB of the sparse image, and how it is made: from nothing, or {tree} into {image}
    "ext4": (32, "mkfs.ext4 -Fq {image}"),
    "xfs": (320, "mkfs.xfs -q {image}"),
    "btrfs": (128, "mkfs.btrfs -q {image}"),
    "erofs": (0, "mkfs.erofs {image} {tree}"),
    "squashfs": (0, "mksquashfs {tree} {image} -noappend -quiet -no-progress"),
}
READ_ONLY = ("erofs", "squashfs")


@contextlib.contextmanager
def hung(place):
    """A directory that no question about is ever answered."""
    tool.need_root("mount a FUSE file system")
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    path = place.file("hung/")
    server = tool.start([*tool.peer("hung_fuse.py"), path])
    try:
        if server.stdout.readline() != "ready\n":
            raise Skip("no FUSE here: " + server.communicate()[1].strip())
        yield path
    finally:
        server.kill()
        server.communicate()
        libc.umount2(path.encode(), 2)


def file(path, owner):
    with open(path, "w", encoding="ascii") as made:
        made.write("content\n")
    os.chmod(path, 0o644)
    os.chown(path, owner, owner)


def plant(at):
    for name in ("source", "source/below", "other"):
        os.makedirs(os.path.join(at, name), exist_ok=True)
    for name in ("source", "other"):
        file(os.path.join(at, name, "of-0"), 0)
        file(os.path.join(at, name, "of-1000"), 1000)


def umount(at):
    checked(libc.umount2(at.encode(), 0))


@contextlib.contextmanager
def loop(place, kind):
    image, tree, at = place.path + "/image", place.file("tree/"), place.file(kind + "/")
    size, command = MAKE[kind]
    words = command.format(image=image, tree=tree).split()
    program = shutil.which(words[0], path=tool.PATH)
    if not program:
        raise Skip("no " + words[0])
    if size:
        with open(image, "wb") as made:
            made.truncate(size << 20)
    else:
        plant(tree)
    subprocess.run([program, *words[1:]], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # mount(8) asks for a device that ends with the mount.
    result = subprocess.run(["mount", "-t", kind, "-o", "loop", image, at], stderr=subprocess.PIPE, text=True, check=False)
    os.unlink(image)
    if result.returncode:
        raise Skip("no %s on a loop device here: %s" % (kind, result.stderr.strip()))
    try:
        if size:
            plant(at)
        yield at
    finally:
        umount(at)


@contextlib.contextmanager
def fuse(place, kind):
    at = place.file("fuse/")
    server = subprocess.Popen([*tool.peer("mapping_fuse.py"), at, "mapping" if "mapping" in kind else "plain"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with server:
        try:
            if server.stdout.readline() != "ready\n":
                raise Skip("no FUSE here: " + server.stderr.read().strip())
            yield at
        finally:
            libc.umount2(at.encode(), 0)
            server.kill()


@contextlib.contextmanager
def memory(place, kind):
    at = place.file(kind + "/")
    mount("sources", at, "tmpfs", data="mode=0755")
    try:
        if kind == "tmpfs":
            plant(at)
            yield at
            return
        lower, upper, work, merged = [os.path.join(at, name) for name in ("lower", "upper", "work", "merged")]
        for path in (lower, upper, work, merged):
            os.mkdir(path)
        plant(lower)
        mount("overlay", merged, "overlay", data="lowerdir=%s,upperdir=%s,workdir=%s" % (lower, upper, work))
        try:
            yield merged
        finally:
            umount(merged)
    finally:
        umount(at)


KINDS = {"ext4": loop, "xfs": loop, "btrfs": loop, "tmpfs": memory, "erofs": loop, "squashfs": loop,
         "FUSE, mapping": fuse, "FUSE": fuse, "overlay": memory}
UNMAPPABLE = ("FUSE", "overlay")


@contextlib.contextmanager
def file_system(place, kind):
    """The directory of one of KINDS."""
    tool.need_root("mount file systems")
    with KINDS[kind](place, kind) as at:
        yield at


@contextlib.contextmanager
def below(at, what):
    """What is mounted in the source: "nothing", another directory of the "same" file system, or a "ramfs" (takes no map)."""
    target = os.path.join(at, "source", "below")
    if what == "nothing":
        yield at + "/source/below"
        return
    if what == "same":
        mount(at + "/other", target, flags=MS_BIND)
    else:
        mount("ramfs", target, "ramfs", data="mode=0755")
        file(target + "/of-0", 0)
        file(target + "/of-1000", 1000)
    try:
        ok(os.path.exists(target + "/of-1000"), "not mounted")
        yield target
    finally:
        umount(target)
