# SPDX-License-Identifier: MIT
"""`syncdemo init`: the mounts of a bundle, their options and their places, each seen from inside.

Prints TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import (CGROUP, CGROUPS, DEFAULT, DEV, MASKED, PROC, PTS, READ_ONLY, SYS, entry, fails, fill, mounted,
                       need_container, output, over, seen)
from tool import Skip, bind, checked, contains, equal, libc, mount, ok


# ---- what comes up -----------------------------------------------------------

def default_mounts(place):
    """the mounts that a default configuration has"""
    need_container()
    found = seen(place, DEFAULT, maskedPaths=MASKED, readonlyPaths=READ_ONLY)
    guarded = {"nosuid", "nodev", "noexec"}
    for path, attributes, kind, source, data in (
            ("/proc", {"rw"}, "proc", "proc", {"rw"}),
            ("/dev", {"rw", "nosuid"}, "tmpfs", "tmpfs", {"rw", "size=65536k", "mode=755"}),
            ("/dev/pts", {"rw", "nosuid", "noexec"}, "devpts", "devpts", {"rw", "gid=5", "mode=620", "ptmxmode=666"}),
            ("/dev/shm", {"rw"} | guarded, "tmpfs", "shm", {"rw", "size=65536k"}),
            ("/dev/mqueue", {"rw"} | guarded, "mqueue", "mqueue", {"rw"}),
            ("/sys", {"ro"} | guarded, "sysfs", "sysfs", {"rw"})):
        equal((path, found[path]), (path, (attributes, [], kind, source, found[path][4])))
        ok(data <= found[path][4], "%s: %r" % (path, found[path][4]))
    contains(output(place, "stat -c %a /dev/shm /dev/pts/ptmx; echo x > /dev/shm/x && cat /dev/shm/x; ls /sys/class/net",
                    DEFAULT), "1777\n666\nx\nlo\n")


def options(place):
    """every option of every mount, on new file systems and on binds"""
    need_container()
    table = {"ro": {"ro"}, "rw": {"rw"}, "ro rw": {"rw"}, "nosuid": {"nosuid"}, "nosuid suid": set(), "nodev": {"nodev"},
             "nodev dev": set(), "noexec": {"noexec"}, "noexec exec": set(), "noatime": {"noatime"}, "noatime atime": set(),
             "noatime relatime": set(), "strictatime": {"strictatime"}, "strictatime nostrictatime": set(),
             "noatime strictatime norelatime": {"strictatime"}, "nodiratime": {"nodiratime"},
             "nodiratime diratime": set(), "nosymfollow": {"nosymfollow"}, "nosymfollow symfollow": set(), "defaults": set(),
             "rro": {"ro"}, "rnosuid rnodev rnoexec": {"nosuid", "nodev", "noexec"}, "rnoatime": {"noatime"}}
    entries = [PROC]
    for number, words in enumerate(table):
        entries.append(entry("/t%d" % number, "tmpfs", *words.split()))
        entries.append(bind(place.data, "/b%d" % number, "bind", *words.split()))
    found = seen(place, entries)
    for number, (words, wanted) in enumerate(table.items()):
        for path in ("/t%d" % number, "/b%d" % number):
            got = set(found[path][0])
            # No word in mountinfo says strictatime: it is what neither of the other two is.
            if "strictatime" in wanted:
                wanted = wanted - {"strictatime"}
            equal((words, path, got - {"rw"}), (words, path, wanted - {"rw"}))


def access_times(place):
    """the three kinds of access times, by what reading does"""
    need_container()
    kinds = ("noatime", "strictatime", "relatime")
    script = """for kind in %s; do
        echo x > /$kind/f; touch -d 2001-01-01 /$kind/f; touch -m -d 2000-01-01 /$kind/f
        cat /$kind/f > /dev/null; stat -c %%X /$kind/f | cut -c1-4; done""" % " ".join(kinds)
    old = "9783"
    lines = output(place, script, [PROC, DEV] + [entry("/" + kind, "tmpfs", kind) for kind in kinds]).split()
    equal([lines[0] == old, lines[1] == old], [True, False])


def file_system_options(place):
    """options of a file system, and flags of it"""
    need_container()
    found = seen(place, [PROC, entry("/a", "tmpfs", "size=4k", "mode=0700", "uid=3", "gid=4", "nr_inodes=7"),
                         entry("/b", "tmpfs", "sync", "dirsync"), entry("/c", "tmpfs", "sync", "async", "lazytime"),
                         entry("/d", "tmpfs", "ro", "size=4k"), entry("/e", "ramfs", "mode=0711")])
    equal(found["/a"][4] - {"inode64"}, {"rw", "size=4k", "mode=700", "uid=3", "gid=4", "nr_inodes=7"})
    equal(found["/b"][4] - {"inode64"}, {"rw", "sync", "dirsync"})
    ok({"rw", "lazytime"} <= found["/c"][4] and "sync" not in found["/c"][4], found["/c"])
    equal((found["/d"][0], found["/d"][4] - {"inode64"}), ({"ro"}, {"rw", "size=4k"}))     # some kernels say how wide it is
    equal(found["/e"][2:], ("ramfs", "ramfs", {"rw", "mode=711"}))
    equal(output(place, "stat -c '%a %u %g' /a; head -c 8k /dev/zero 2>&1 > /f/x | grep -c 'No space'",
                 [DEV, entry("/a", "tmpfs", "mode=0700", "uid=3", "gid=4"), entry("/f", "tmpfs", "size=4k")]),
          "700 3 4\n1\n")


def propagation(place):
    """propagation of new file systems and of binds"""
    need_container()
    entries = [PROC]
    wanted = {"private": [], "slave": [], "shared": ["shared"], "unbindable": ["unbindable"]}
    for word in wanted:
        entries += [entry("/%s%s" % (r, word), "tmpfs", r + word) for r in ("", "r")]
        entries += [bind(place.data, "/b" + r + word, "bind", r + word) for r in ("", "r")]
    found = seen(place, entries)
    for word, words in wanted.items():
        for path in ("/", "/r", "/b", "/br"):
            equal((path + word, found[path + word][1]), (path + word, words))


def recursive_attributes(place):
    """attributes of one mount, and of all in a tree"""
    need_container()
    with over(place.file("data/below/"), "tmpfs"):
        found = seen(place, [PROC, bind(place.data, "/one", "rbind", "ro", "nosuid"),
                             bind(place.data, "/all", "rbind", "rro"), bind(place.data, "/back", "rbind", "rro", "rw")])
    equal([found[path][0] for path in ("/one", "/one/below", "/all", "/all/below", "/back", "/back/below")],
          [{"ro", "nosuid"}, {"rw"}, {"ro"}, {"ro"}, {"ro"}, {"ro"}])


def read_only_late(place):
    """a read-only tmpfs, also at /dev, gets its mount points and devices first"""
    need_container()
    dev = entry("/dev", "tmpfs", "ro", "mode=755")
    script = """for d in /dev /t /t/a /t/b; do touch $d/x 2> /dev/null && echo $d; done
        cat /t/b/file; echo > /dev/null"""
    entries = [PROC, dev, PTS, entry("/t", "tmpfs", "ro"), entry("/t/a", "tmpfs"), bind(place.data, "/t/b", "bind", "ro")]
    equal(output(place, script, entries, readonly=True), "/t/a\ncontent\n")


def destinations(place):
    """mount points are made, also relative ones and behind symlinks of the image, and never outside of it"""
    need_container()
    outside = place.file("outside/")
    fill(place)
    os.symlink(outside, place.rootfs + "/absolute")
    os.symlink("../../../../.." + outside, place.rootfs + "/relative")
    os.symlink("/loop", place.rootfs + "/loop")
    entries = [PROC, entry("deep/er", "tmpfs"), entry("/absolute/a", "tmpfs"), entry("relative/b", "tmpfs"),
               entry("/../../up", "tmpfs"), bind(place.data + "/file", "made/file")]
    found = seen(place, entries)
    for path in ("/deep/er", outside + "/a", outside + "/b", "/up", "/made/file"):
        ok(path in found, path)
    equal(os.listdir(outside), [])
    fails(place, [entry("/loop/x", "tmpfs")], "config.json: mounts[0]: ", "/loop/x", "Too many levels")
    fails(place, [entry("/bin/..", "tmpfs")], "config.json: mounts[0]: ", "root file system itself")
    fails(place, [entry("/bin/sh/x", "tmpfs")], "config.json: mounts[0]: ", "Not a directory")


def sources_by_another_name(place):
    """a source in the root file system, by symlinks of the host's and by another mount: the image's symlinks stay inside"""
    need_container()
    fill(place)
    place.file("outside/which", "host\n")
    place.file("bundle/rootfs" + place.path + "/outside/which", "image\n")
    os.symlink(place.path + "/outside", place.rootfs + "/data")
    os.symlink("bundle", place.path + "/alias")
    os.symlink("../outside", place.path + "/bundle/link")
    place.file("mounted/")
    mount(place.bundle, place.path + "/mounted", flags=tool.MS_BIND)
    try:
        entries = [bind(place.path + way, "/%d" % i, "bind") for i, way in enumerate(
            ("/bundle/rootfs/data", "/alias/rootfs/data", "/alias/rootfs//data/", "/mounted/rootfs/data"))]
        entries += [bind(place.path + "/alias/link/which", "/beside", "bind"),
                    bind(place.path + "/alias/rootfs/../link/which", "/up", "bind")]
        equal(output(place, "cat /[0-9]/which /beside /up", entries), "image\n" * 4 + "host\n" * 2)
    finally:
        checked(libc.umount2((place.path + "/mounted").encode(), 2))
    tool.need_idmap(place)
    entries = [bind(place.path + way + "/rootfs/data", "/a", "bind", uids="0:1000:10") for way in ("/alias", "/bundle")]
    for one in entries:
        equal(output(place, "cat /a/which", [one]), "image\n")


def links_for_proc(place):
    """proc and sysfs go to a directory, not to where a symlink of the image leads"""
    need_container()
    fill(place)
    place.file("bundle/rootfs/elsewhere/")
    for kind in ("proc", "sysfs"):
        os.symlink("/elsewhere", place.rootfs + "/" + kind)
        fails(place, [entry("/" + kind, kind)], "config.json: mounts[0]: ", "/" + kind, "symlink")


# ---- control groups ------------------------------------------------------------

def version_1_there():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return " - cgroup " in file.read()


def cgroup_version_2(place):
    """cgroup on a host with version 2, and cgroup2: new in a namespace, bound without one"""
    need_container()
    with over(CGROUPS, "cgroup2"):
        for namespaces, source in (("pid mount cgroup", "cgroup"), ("pid mount", "cgroup2")):
            kind, found = "cgroup2", seen(place, [PROC, SYS, CGROUP], namespaces=namespaces)[CGROUPS]
            equal(found[:4], ({"ro", "nosuid", "nodev", "noexec"}, [], kind, source))
        script = "cat /sys/fs/cgroup/cgroup.procs | grep -cx $$; mkdir /sys/fs/cgroup/x 2>&1 | grep -c Read-only"
        contains(output(place, script, [PROC, SYS, CGROUP]), "1\n1\n")
        fails(place, [SYS, entry("/g", "cgroup", "nsdelegate")], "mounts[1]: /g: nsdelegate: takes a cgroup namespace",
              namespaces="pid mount")
        equal(seen(place, [PROC, entry("/g", "cgroup2", "nosuid")])["/g"][:4], ({"rw", "nosuid"}, [], "cgroup2", "cgroup2"))


def cgroup_version_1(place):
    """cgroup on a host with version 1: each hierarchy, and links for its controllers"""
    need_container()
    if not version_1_there():
        raise Skip("no control groups of version 1 here")
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        names = {line.split()[4].rsplit("/", 1)[1] for line in file if " - cgroup " in line}
    for namespaces in ("pid mount cgroup", "pid mount"):
        found = seen(place, [PROC, SYS, CGROUP], namespaces=namespaces)
        attributes = {"ro", "nosuid", "nodev", "noexec"}
        equal(found[CGROUPS][:4], (attributes, [], "tmpfs", "cgroup"))
        for name in names:
            equal(found[CGROUPS + "/" + name][:3], (attributes, [], "cgroup"))
        script = """for d in /sys/fs/cgroup/*; do grep -cx $$ $d/cgroup.procs; done | sort -u
            mkdir /sys/fs/cgroup/x 2>&1 | grep -c Read"""
        contains(output(place, script, [PROC, SYS, CGROUP], namespaces=namespaces), "1\n1\n")
    fails(place, [entry("/g", "cgroup", "x=y")], "mounts[0]: /g: x=y: no option of control groups of version 1")
    rw = entry("/g", "cgroup")
    equal(seen(place, [PROC, rw])["/g"][0], {"rw", "nosuid", "nodev", "noexec"})


# ---- the root file system -----------------------------------------------------

def root_propagation(place):
    """linux.rootfsPropagation: of the root file system itself; only shared lets the host see a shared bind's mounts"""
    need_container()
    before = tool.mounts()
    mount(None, "/", flags=tool.MS_REC | tool.MS_SHARED)
    with over(place.file("shared/"), "tmpfs"):
        mount(None, place.path + "/shared", flags=tool.MS_SHARED)
        place.file("shared/x/")
        try:
            for word, wanted, outside in (("private", [], 0), ("slave", [], 0), ("shared", ["shared"], 1),
                                          ("rshared", ["shared"], 1), ("unbindable", ["unbindable"], 0),
                                          ("runbindable", ["unbindable"], 0)):
                entries = [PROC, bind(place.path + "/shared", "/s", "rbind", "rshared"), entry("/s/x", "tmpfs")]
                found = seen(place, entries, rootfsPropagation=word)
                got = [line for line in found["/"][1] if line != "master"]
                below = place.path + "/shared/x"
                appeared = below in mounted(tool.mounts())
                equal((word, got, appeared), (word, wanted, bool(outside)))
                if outside:
                    checked(libc.umount2(below.encode(), 2))
                equal(len([line for line in tool.mounts().splitlines() if place.rootfs in line]), 0)
        finally:
            mount(None, "/", flags=tool.MS_REC | tool.MS_PRIVATE)
    equal(tool.mounts(), before)


TESTS = [default_mounts, options, access_times, file_system_options, propagation, recursive_attributes, read_only_late,
         destinations, sources_by_another_name, links_for_proc, cgroup_version_2, cgroup_version_1, root_propagation]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
