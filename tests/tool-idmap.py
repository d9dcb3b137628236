# SPDX-License-Identifier: MIT
"""`syncdemo idmap`: id-mapped bind mounts on the host.

Prints TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from tool import checked, contains, equal, libc, mount, need_idmap, ok, one_line

MAPS = ["--map-uids", "0:100000:65536", "--map-gids", "0:200000:65536"]


def umount(path):
    checked(libc.umount2(path.encode(), 2))


def owner(path):
    info = os.stat(path)
    return info.st_uid, info.st_gid


def mapped(*args, **kwargs):
    result = tool.run("idmap", *args, **kwargs)
    equal(result, (0, "", ""))


def failed(*args, parts=(), code=1):
    before = tool.mounts()
    result = tool.run("idmap", *args)
    equal((result.code, result.out), (code, ""))
    contains(one_line(result.err), *parts)
    equal(tool.mounts(), before)


def directory(place):
    """a directory: both maps, several extents, ids that are in none"""
    need_idmap(place)
    target = place.file("target/")
    place.file("data/root", owner=(0, 0))
    place.file("data/high", owner=(70000, 1))
    mapped(*MAPS, place.data, target)
    equal([owner(target + name) for name in ("/file", "/root", "/high")],
          [(100007, 200008), (100000, 200000), (65534, 200001)])
    umount(target)
    mapped("--map-uids", "0:5000:7,7:9000:1", "--map-gids=8:1:1,100:200:300", place.data, target)
    equal([owner(target + name) for name in ("/file", "/root")], [(9000, 1), (5000, 65534)])
    umount(target)


def file(place):
    """a file onto a file"""
    need_idmap(place)
    target = place.file("target")
    mapped(*MAPS, place.data + "/file", target)
    equal(owner(target), (100007, 200008))
    umount(target)


def relative(place):
    """relative paths, symlinks on the way"""
    need_idmap(place)
    place.file("target/")
    os.symlink("data", place.path + "/source")
    os.symlink("target", place.path + "/link")
    mapped(*MAPS, "source", "link", cwd=place.path)
    equal(owner(place.path + "/target/file"), (100007, 200008))
    umount(place.path + "/target")


def recursive(place):
    """with the mounts below, or without them"""
    tool.need_mapped_tmpfs(place)
    target = place.file("target/")
    mount("tmpfs", place.file("data/below/"), "tmpfs")
    place.file("data/below/file", owner=(1, 2))
    try:
        mapped(*MAPS, place.data, target)
        ok(not os.path.exists(target + "/below/file"), "a mount below came along")
        umount(target)
        mapped("--recursive", *MAPS, place.data, target)
        equal([owner(target + name) for name in ("/file", "/below/file")], [(100007, 200008), (100001, 200002)])
        umount(target)
    finally:
        umount(place.data + "/below")


def other_file_systems(place):
    """a file system that takes no id map is named, also below the source"""
    need_idmap(place)
    # By its name from Linux 6.8 on.
    named = tool.feature("statmount")
    name = "proc mounted at /proc" if named else "/proc: its file system, or one mounted below it,"
    failed(*MAPS, "/proc", place.file("target/"), parts=(name + " takes no id mapping",))
    below = place.file("data/below/")
    mount("proc", below, "proc")
    try:
        failed("--recursive", *MAPS, place.data, place.file("target/"),
               parts=("/below" if named and tool.feature("listmount") else "or one mounted below it", "takes no id mapping"))
    finally:
        umount(below)


def paths(place):
    """paths that do not do name path and cause"""
    need_idmap(place)
    target = place.file("target/")
    for source, to, parts in ((place.path + "/none", target, ("/none", "No such file")),
                              (place.data, place.path + "/none", ("/none", "openat2", "No such file")),
                              (place.data, place.data + "/file", ("/data/file", "Not a directory")),
                              (place.data + "/file", target, ("/target", "Not a directory")),
                              ("/proc/self/root" + place.data, target, ("/proc/self/root", "symbolic links")),
                              (place.data, "/proc/self/root" + target, ("/proc/self/root", "symbolic links")),
                              ("x" * 300, target, ("File name too long",))):
        failed(*MAPS, source, to, parts=parts)


def bad_maps(place):
    """maps that are none"""
    good = "0:1:1"
    for text in ("", "0", "0:1", "0:1:", "0:1:0", "0:1:1:1", "0:1:1,", ",0:1:1", "0:1:1,,2:2:2", " 0:1:1", "0:1:1 ",
                 "+0:1:1", "-1:1:1", "0x0:1:1", "0:1:4294967296", "0:4294967295:2", "4294967295:0:2", "0:4294967296:1",
                 "a:b:c", "0:1:2,1:9:1", "0:1:2,5:2:1", "0:1:1\n", ",".join("%d:%d:1" % (i, i) for i in range(341)),
                 "99999999999999999999:0:1"):
        for maps in (["--map-uids=" + text, "--map-gids=" + good], ["--map-uids", good, "--map-gids", text]):
            failed(*maps, place.data, place.data, parts=("--map-",), code=2)


def ordinary_user(place):
    """without the rights: which one is missing, and nothing else happens"""
    target = place.file("target/")
    program, environment = tool.copy_tool(place)

    before = tool.mounts()
    result = tool.finish(tool.start([program, "idmap", *MAPS, place.data, target], preexec_fn=tool.ordinary_user,
                                    env=environment))
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "not permitted")
    equal(tool.mounts(), before)


TESTS = [directory, file, relative, recursive, other_file_systems, paths, bad_maps, ordinary_user]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
