# SPDX-License-Identifier: MIT
"""`syncdemo run`: the mount options that do more than set an attribute: remount, tmpcopyup, idmap on new file systems; and
every option of the OCI specification's table, by what the kernel says of the mount.

Prints TAP.
"""
import os
import socket
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import FIRST, configuration, fails, fine, ordinary, shell
from container import entry, mounted, over
from tool import bind, equal, extents, need_root, ok

TABLE = os.path.join(tool.SOURCE, "doc", "compatibility.md")


def seen(place, mounts, script="", **kwargs):
    return mounted(fine(place, shell(script + "cat /proc/self/mountinfo", mounts=mounts, **kwargs)))


# ---- the specification's table ------------------------------------------------------

# The option before; and what mountinfo says then: of the mount, of the file system, and of the mount below with "rbind".
OPTIONS = {
    "async": ("sync", None, set(), None), "atime": ("noatime", set(), None, None), "defaults": ("", set(), None, None),
    "dev": ("nodev", set(), None, None), "diratime": ("nodiratime", set(), None, None),
    "dirsync": ("", None, {"dirsync"}, None),
    "exec": ("noexec", set(), None, None), "lazytime": ("", None, {"lazytime"}, None), "loud": ("", set(), None, None),
    "noatime": ("", {"noatime"}, None, set()), "nodev": ("", {"nodev"}, None, set()),
    "nodiratime": ("", {"nodiratime"}, None, set()), "noexec": ("", {"noexec"}, None, set()),
    "noiversion": ("", set(), None, None), "nomand": ("", set(), None, set()), "nolazytime": ("lazytime", None, set(), None),
    "norelatime": ("relatime", set(), None, set()), "nostrictatime": ("strictatime", set(), None, set()),
    "nosuid": ("", {"nosuid"}, None, set()), "nosymfollow": ("", {"nosymfollow"}, None, set()),
    "relatime": ("noatime", set(), None, set()), "ro": ("", {"ro"}, None, set()), "rw": ("ro", set(), None, set()),
    "silent": ("", set(), None, set()), "strictatime": ("noatime", set(), None, set()),
    "suid": ("nosuid", set(), None, set()),
    "symfollow": ("nosymfollow", set(), None, set()), "sync": ("", None, {"sync"}, None),
    "ratime": ("rnoatime", set(), None, set()), "rdev": ("rnodev", set(), None, set()),
    "rdiratime": ("rnodiratime", set(), None, set()), "rexec": ("rnoexec", set(), None, set()),
    "rnoatime": ("", {"noatime"}, None, {"noatime"}), "rnodiratime": ("", {"nodiratime"}, None, {"nodiratime"}),
    "rnodev": ("", {"nodev"}, None, {"nodev"}), "rnoexec": ("", {"noexec"}, None, {"noexec"}),
    "rnorelatime": ("rnoatime", {"noatime"}, None, {"noatime"}), "rnostrictatime": ("rstrictatime", set(), None, set()),
    "rnosuid": ("", {"nosuid"}, None, {"nosuid"}), "rnosymfollow": ("", {"nosymfollow"}, None, {"nosymfollow"}),
    "rrelatime": ("rnoatime", set(), None, set()), "rro": ("", {"ro"}, None, {"ro"}), "rrw": ("rro", set(), None, set()),
    "rstrictatime": ("rnoatime", set(), None, set()), "rsuid": ("rnosuid", set(), None, set()),
    "rsymfollow": ("rnosymfollow", set(), None, set()),
    "private": ("shared", None, None, None), "rprivate": ("rshared", None, None, None), "shared": ("", None, None, None),
    "rshared": ("", None, None, None), "slave": ("", None, None, None), "rslave": ("", None, None, None),
    "unbindable": ("", None, None, None), "runbindable": ("", None, None, None),
}
# Tests of their own below or in tool-mounts.py, and what only some file systems know.
ELSEWHERE = {"bind", "rbind", "remount", "idmap", "ridmap", "tmpcopyup", "mand", "iversion"}


def flags(attributes):
    return attributes - {"rw", "relatime"}


def every_option(place):
    """every option of the specification's table, behind one that says the contrary, on tmpfs and on a recursive bind"""
    need_root("mount")
    with over(place.file("tree/"), "tmpfs"):
        place.file("tree/below/")
        with over(place.file("tree/below/"), "tmpfs"):
            entries = []
            for name, (before, _, data, _) in OPTIONS.items():
                entries.append(entry("/new/" + name, "tmpfs", *before.split(), name))
                if data is None:
                    entries.append(bind(place.path + "/tree", "/old/" + name, "rbind", *before.split(), name))
            found = seen(place, entries)
    for name, (_, wanted, data, below) in OPTIONS.items():
        if wanted is not None:
            equal((name, flags(found["/new/" + name][0])), (name, wanted))
        if wanted is not None and data is None:
            equal((name, flags(found["/old/" + name][0])), (name, wanted))
        if below is not None and "/old/%s/below" % name in found:
            equal((name, flags(found["/old/%s/below" % name][0])), (name, below))
        if data is not None:
            equal((name, found["/new/" + name][4] & {"sync", "dirsync", "lazytime"}), (name, data))
    for name in ("private", "slave", "shared", "unbindable"):
        for path in ("/new/", "/old/"):
            for recursive in ("", "r"):
                got = [word for word in found[path + recursive + name][1] if word != "master"]
                equal((path, recursive + name, got),
                      (path, recursive + name, [name] if name in ("shared", "unbindable") else []))


def access_times(place):
    """the five words of access times on a mount whose source has another one: one value in the end"""
    need_root("mount")
    with over(place.file("tree/"), "tmpfs"):
        kinds = {"noatime": {"noatime"}, "relatime": {"relatime"}, "strictatime": set(), "atime": {"relatime"},
                 "nodiratime": {"noatime", "nodiratime"}}
        tool.checked(tool.libc.mount(None, (place.path + "/tree").encode(), None, tool.MS_BIND | 0x20 | 1024, None))
        out = fine(place, shell("cat /proc/self/mountinfo", mounts=[bind(place.path + "/tree", "/" + name, "bind", name)
                                                                     for name in kinds]))
    for name, wanted in kinds.items():
        line = next(line for line in out.splitlines() if " /%s " % name in line)
        equal((name, set(line.split()[5].split(",")) - {"rw"}), (name, wanted))


def superblock_options_of_binds(place):
    """what only a file system as a whole can have is refused on a bind, by its place"""
    for word in ("sync", "async", "dirsync", "lazytime", "nolazytime", "iversion", "acl", "size=1k"):
        fails(place, configuration("echo", "started", mounts=[bind(place.data, "/x", "bind", "ro", word)]),
              "config.json: mounts[1].options[2]: %s: no option of a bind mount" % word)
    for one in (entry("/x", "tmpfs", "mand"), bind(place.data, "/x", "mand")):
        fails(place, configuration("echo", "started", mounts=[one]),
              "config.json: mounts[1].options[0]: mand: Linux has no mandatory locking any more")
    fails(place, configuration("echo", "started", mounts=[entry("/x", "tmpfs", "iversion")]),
          "config.json: mounts[1]: /x: tmpfs: Unknown parameter 'iversion'")


# ---- remount ---------------------------------------------------------------------------

def remount(place):
    """remount: other attributes, another size, propagation; of what an earlier entry has mounted"""
    need_root("mount")
    found = seen(place, [
        entry("/a", "tmpfs", "size=64k", "nosuid"), entry("/a", "tmpfs", "remount", "size=128k", "noexec", "shared"),
        bind(place.data, "/b", "bind", "nodev"), bind("none", "b/.", "remount", "bind", "ro"),
        entry("/c", "tmpfs", "ro"), entry("/c/in", "tmpfs"), entry("/c", "tmpfs", "remount", "rw"),
        entry("/d", "tmpfs"), entry("/d", "none", "remount", "ro"), entry("/d/in", "tmpfs"),
        entry("/e", "tmpfs", "noatime"), entry("/e", "tmpfs", "remount", "strictatime", "rnosuid")])
    equal((flags(found["/a"][0]), found["/a"][1]), ({"nosuid", "noexec"}, ["shared"]))
    ok("size=128k" in found["/a"][4], found["/a"])
    equal(flags(found["/b"][0]), {"ro", "nodev"})
    equal(flags(found["/c"][0]), set())
    equal(flags(found["/d"][0]), {"ro"})
    equal(flags(found["/e"][0]), {"nosuid"})
    ok("/d/in" in found and "/c/in" in found, found)
    equal(flags(seen(place, [entry("/a", "tmpfs"), entry("/a", "tmpfs", "remount", "ro")], mapped=True)["/a"][0]), {"ro"})


def remount_refused(place):
    """remount: of nothing, and of the host's file systems"""
    for entries, text in (
            ([entry("/x", "tmpfs", "remount")], "mounts[1]: remount: no mount before it has the destination /x"),
            ([entry("/", "tmpfs", "remount", "ro")], "mounts[1]: remount: no mount before it has the destination /"),
            ([bind(place.data, "/x"), entry("/x/y", "none", "remount")], "mounts[2]: remount: no mount before it"),
            ([bind(place.data, "/x"), entry("/x", "none", "remount", "sync")], "mounts[2]: sync: no option of a bind mount"),
            ([entry("/x", "cgroup"), entry("/x", "none", "remount", "nsdelegate")],
             "mounts[2]: nsdelegate: no option of a bind"),
            ([entry("/x", "tmpfs"), entry("/x", "tmpfs", "remount", "size=x")],
             "mounts[2]: tmpfs: Bad value for 'size': size=x: fsconfig: Invalid argument"),
            ([entry("/x", "tmpfs"), entry("/x", "tmpfs", "remount", "idmap")],
             "mounts[2]: remount with idmap or tmpcopyup")):
        fails(place, configuration("echo", "started", mounts=entries), "config.json: " + text)


# ---- tmpcopyup ---------------------------------------------------------------------------

def copy_up(place):
    """tmpcopyup: files, directories, links, FIFOs and devices with mode, owner and time; the image stays as it was"""
    need_root("make devices")
    image = place.file("bundle/rootfs/etc/", owner=(3, 4))
    place.file("bundle/rootfs/etc/file", "content\n" * 1000, (5, 6))
    os.chmod(image + "/file", 0o4755)
    os.utime(image + "/file", (1000, 2000))
    place.file("bundle/rootfs/etc/deep/er/", owner=(7, 8))
    place.file("bundle/rootfs/etc/deep/er/file", "below\n")
    os.chmod(image + "/deep", 0o700)
    os.utime(image + "/deep", (3000, 4000))
    os.symlink("/etc/shadow-of-nothing", image + "/link")
    os.mkfifo(image + "/fifo", 0o640)
    os.mknod(image + "/null", 0o20604, os.makedev(1, 3))
    server = socket.socket(socket.AF_UNIX)
    server.bind(image + "/socket")
    server.close()
    before = {name: os.lstat(os.path.join(root, name)).st_mtime_ns for root, ways, names in os.walk(image)
              for name in ways + names}
    script = """stat -c '%n %a %u:%g %F' /etc /etc/* /etc/deep/er/*; stat -c '%X %Y' /etc/file; stat -c %Y /etc/deep
        readlink /etc/link; cat /etc/deep/er/file; cat /etc/file | wc -c; rm() { unlink "$@"; }; echo x > /etc/new"""
    out = fine(place, shell(script, mounts=[entry("/etc", "tmpfs", "tmpcopyup", "mode=0755", "gid=9")]))
    equal(out.splitlines(), [
        "/etc 755 0:9 directory", "/etc/deep 700 0:0 directory", "/etc/fifo 640 0:0 fifo", "/etc/file 4755 5:6 regular file",
        "/etc/link 777 0:0 symbolic link", "/etc/null 604 0:0 character special file",
        "/etc/deep/er/file 644 0:0 regular file",
        "1000 2000", "4000", "/etc/shadow-of-nothing", "below", "8000"])
    after = {name: os.lstat(os.path.join(root, name)).st_mtime_ns for root, ways, names in os.walk(image)
             for name in ways + names}
    equal(after, before)
    # Read-only all the same, into a directory that is missing, and what does not fit.
    equal(fine(place, shell("cat /etc/deep/er/file; touch /etc/x 2>&1 | grep -c Read-only; ls /none | wc -l",
                            mounts=[entry("/etc", "tmpfs", "tmpcopyup", "ro"), entry("/none", "tmpfs", "tmpcopyup")])),
          "below\n1\n0\n")
    fails(place, configuration("true", mounts=[entry("/etc", "tmpfs", "tmpcopyup", "size=4k")]),
          "config.json: mounts[1]: /etc: tmpcopyup: ", "No space left on device")


def mode_of_tmpfs(place):
    """a tmpfs without a mode has that of the directory below it, and one where none was the kernel's"""
    os.chmod(place.file("bundle/rootfs/run/", owner=(3, 4)), 0o2710)
    out = fine(place, shell("stat -c '%a %u:%g' /run /new /t /q", mounts=[
        entry("/run", "tmpfs", "ro"), entry("/new", "tmpfs"), entry("/t", "tmpfs", "mode=0700"),
        entry("/q", "tmpfs", "mode=0"), entry("/q", "tmpfs")]))
    equal(out.splitlines(), ["2710 0:0", "1777 0:0", "700 0:0", "0 0:0"])
    equal(fine(place, shell("stat -c %a /run", mapped=True, mounts=[entry("/run", "tmpfs")])), "2710\n")


def copy_up_hostile(place):
    """tmpcopyup: no symlink is followed, no mount is crossed, and a depth without end has one"""
    need_root("mount")
    place.file("secret/file", "secret\n")
    place.file("bundle/rootfs/etc/mounted/")
    os.symlink(place.path + "/secret", place.file("bundle/rootfs/etc/") + "/out")
    entries = [bind(place.path + "/secret", "/etc/mounted"), entry("/etc", "tmpfs", "tmpcopyup")]
    equal(fine(place, shell("ls /etc/mounted | wc -l; readlink /etc/out; ls -d /etc/out/file 2>/dev/null | wc -l",
                            mounts=entries)), "0\n%s/secret\n0\n" % place.path)
    # The tmpfs is of a megabyte: what would be written of them does not fit.
    for name, offset in (("end", 1 << 42), ("middle", 1 << 30), ("none", None)):
        with open(place.rootfs + "/etc/" + name, "wb") as file:
            file.truncate(1 << 42)
            if offset:
                file.seek(offset - 1)
                file.write(b"x")
    script = "stat -c '%n %s' /etc/end /etc/middle /etc/none; tail -c 1 /etc/end; dd if=/etc/middle bs=1 skip=1073741823 count=2"
    config = shell(script + " 2>/dev/null | od -c", mounts=[entry("/etc", "tmpfs", "tmpcopyup", "size=1m")])
    for name in ("tail", "dd", "od"):
        os.symlink("busybox", place.rootfs + "/bin/" + name)
    equal(fine(place, config).splitlines(), ["/etc/%s %d" % (name, 1 << 42) for name in ("end", "middle", "none")] +
          ["x0000000   x  \\0", "0000002"])
    for name in ("end", "middle", "none"):
        os.unlink(place.rootfs + "/etc/" + name)
    at = os.open(place.rootfs + "/etc", os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    fails(place, configuration("true", mounts=[entry("/etc", "tmpfs", "tmpcopyup")]), "more than 128 directories deep")


# ---- id maps of new file systems --------------------------------------------------------

def mapped_entry(destination, kind, options, text):
    return entry(destination, kind, *options) | {"uidMappings": extents(text), "gidMappings": extents(text)}


def new_file_systems(place):
    """idmap on a new tmpfs, without a user namespace and in one, where the host's ids are meant"""
    tool.need_mapped_tmpfs(place)
    script = "stat -c %u:%g /t; touch /t/x && stat -c %u:%g /t/x"
    options = ["idmap", "uid=1000", "gid=1000", "mode=777"]
    equal(fine(place, shell(script, mounts=[mapped_entry("/t", "tmpfs", options, "1000:0:8")])), "0:0\n0:0\n")
    # What the host calls FIRST + 3 is 3 inside.
    equal(fine(place, shell(script, mapped=True, mounts=[mapped_entry("/t", "tmpfs", options, "1000:%d:8" % FIRST)])),
          "0:0\n0:0\n")
    equal(fine(place, shell("stat -c %u:%g /t", mapped=True,
                            mounts=[mapped_entry("/t", "tmpfs", options, "1000:%d:1,0:%d:6" % (FIRST + 3, FIRST + 4))])),
          "3:3\n")
    out = fine(place, shell("cat /proc/self/mountinfo", mapped=True, mounts=[entry("/t", "tmpfs", "idmap"),
                                                                            entry("/p", "tmpfs")]))
    ok(any(" /t " in line and "idmapped" in line for line in out.splitlines()), out)
    ok(any(" /p " in line and "idmapped" not in line for line in out.splitlines()), out)
    equal(fine(place, shell("stat -c %u:%g /t", mapped=True, mounts=[entry("/t", "tmpfs", "ridmap", "uid=5")])), "5:0\n")
    fails(place, configuration("true", mounts=[mapped_entry("/t", "ramfs", ["idmap"], "0:1:1")]),
          "config.json: mounts[1]: /t: a file system that takes no id mapping: ramfs: mount_setattr: Invalid argument")
    fails(place, configuration("true", mapped=True,
                               mounts=[mapped_entry("/t", "tmpfs", ["idmap"], "0:%d:11" % (FIRST + 65530))]),
          "config.json: mounts[1]: /t: hostID %d and the next 10: not all of them are ids" % (FIRST + 65530))
    fails(place, configuration("true", mounts=[entry("/t", "tmpfs", "idmap")]),
          "config.json: mounts[1]: idmap without uidMappings and gidMappings")


def mapped_copy_up(place):
    """tmpcopyup with idmap: the container sees the owners that the image has"""
    tool.need_mapped_tmpfs(place)
    place.file("bundle/rootfs/etc/file", "x", (1, 2))
    equal(fine(place, shell("stat -c %u:%g /etc/file",
                            mounts=[mapped_entry("/etc", "tmpfs", ["tmpcopyup", "idmap", "uid=1000", "gid=1000"],
                                                 "1000:0:100")])), "1:2\n")


def mapped_again(place):
    """a source that is id-mapped already gets the container's map instead of its own, also below"""
    tool.need_idmap(place)
    tool.need_feature("open_tree_attr", "6.15")
    place.file("tree/file", "x", (7, 8))
    mapped = place.file("mapped/")
    result = tool.run("idmap", "--map-uids", "0:5000:100", "--map-gids", "0:6000:100", place.path + "/tree", mapped)
    equal(result, (0, "", ""))
    try:
        equal((os.stat(mapped + "/file").st_uid, os.stat(mapped + "/file").st_gid), (5007, 6008))
        entries = [bind(mapped, "/a", "bind", "idmap"), bind(mapped, "/b", "rbind", "ridmap"),
                   bind(mapped, "/c", "bind", "idmap", uids="7:%d:1" % (FIRST + 1), gids="8:%d:1" % (FIRST + 2))]
        equal(fine(place, shell("stat -c %u:%g /a/file /b/file /c/file", mapped=True, mounts=entries)), "7:8\n7:8\n1:2\n")
    finally:
        tool.checked(tool.libc.umount2(mapped.encode(), 2))


# ---- without being root ---------------------------------------------------------------------

def ordinary_user(place):
    """as an ordinary user: remount, tmpcopyup, an id-mapped tmpfs, attributes and propagation"""
    if tool.ROOT:
        tool.need_mapped_tmpfs(place)
    place.file("bundle/rootfs/etc/file", "content\n")
    entries = [entry("/a", "tmpfs", "size=64k"), entry("/a", "tmpfs", "remount", "size=128k", "noexec", "shared"),
               entry("/etc", "tmpfs", "tmpcopyup", "rro"), bind(place.data, "/b", "rbind", "rnosuid", "ro"),
               entry("/t", "tmpfs", "idmap")]
    config = shell("cat /etc/file; stat -c %u:%g /t /etc/file; cat /proc/self/mountinfo", kinds=("pid", "mount"),
                   mounts=entries)
    first, *owners, table = ordinary(place, config).split("\n", 3)
    equal([first, *owners], ["content", "0:0", "0:0"])
    found = mounted(table)
    ok("size=128k" in found["/a"][4] and found["/a"][1] == ["shared"], found["/a"])
    equal((flags(found["/a"][0]), flags(found["/etc"][0]), flags(found["/b"][0])), ({"noexec"}, {"ro"}, {"nosuid", "ro"}))
    ok(any(" /t " in line and "idmapped" in line for line in table.splitlines()), table)


TESTS = [every_option, access_times, superblock_options_of_binds, remount, remount_refused, copy_up, mode_of_tmpfs,
         copy_up_hostile,
         new_file_systems, mapped_copy_up, mapped_again, ordinary_user]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
