# SPDX-License-Identifier: MIT
"""`syncdemo init`: its bind mounts, plain and id-mapped, with our own parent half and with the one in Python.

Prints TAP.
"""
import os
import resource
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from halves import MAP, STAT, both_fine, contained, init, parents, start_containers
from tool import bind, checked, converse, equal, libc, mount, need_idmap


def plain_bind(place):
    """plain binds, made by init itself"""
    start_containers()
    config = place.config(STAT + " /mnt/data/file /mnt/one; cat /mnt/one",
                          [bind(place.data, "/mnt/data"), bind(place.data + "/file", "/mnt/one")])
    contained(place, config, "7:8 /mnt/data/file\n7:8 /mnt/one\ncontent\n")


def relative_source(place):
    """sources and root file system relative to the bundle"""
    start_containers()
    place.file("bundle/inner/file", owner=(3, 4))
    config = place.config(STAT + " /a/file /b/file", [bind("inner", "/a"), bind("./x/..//../data/", "/b")])
    place.file("bundle/x/")
    contained(place, config, "3:4 /a/file\n7:8 /b/file\n")


def id_mapped(place):
    """id-mapped binds, opened by the parent"""
    need_idmap(place)
    config = place.config(STAT + " /mnt/data/file /mnt/one",
                          [bind(place.data, "/mnt/data", "bind", "idmap", uids="0:100000:65536", gids="0:200000:65536"),
                           bind(place.data + "/file", "/mnt/one", "bind", uids="7:70:1", gids="8:80:1")])
    contained(place, config, "100007:200008 /mnt/data/file\n70:80 /mnt/one\n")


def container_map(place):
    """idmap without mappings takes those of the container"""
    need_idmap(place)
    config = place.config(STAT + " /mnt/file", [bind(place.data, "/mnt", "bind", "idmap")],
                          linux={"uidMappings": tool.extents(MAP), "gidMappings": tool.extents(MAP)})
    contained(place, config, "100007:100008 /mnt/file\n")


def recursive(place):
    """rbind and ridmap are two things"""
    tool.need_mapped_tmpfs(place)
    mount("tmpfs", place.file("data/below/"), "tmpfs")
    try:
        place.file("data/below/file", owner=(1, 2))
        entries = [bind(place.data, "/a", "rbind", "ridmap", uids=MAP), bind(place.data, "/b", "rbind", "idmap", uids=MAP),
                   bind(place.data, "/c", "bind", "idmap", uids=MAP)]
        script = "%s /a/file /a/below/file /b/file /b/below/file /c/file; test -e /c/below/file || echo none" % STAT
        contained(place, place.config(script, entries),
                  "100007:100008 /a/file\n100001:100002 /a/below/file\n100007:100008 /b/file\n1:2 /b/below/file\n"
                  "100007:100008 /c/file\nnone\n")
    finally:
        checked(libc.umount2((place.data + "/below").encode(), 2))


def earlier_mount(place):
    """a source inside the root file system that an earlier mount brings"""
    need_idmap(place)
    entries = [bind(place.data, "/first"),
               bind("rootfs/first", "/second", "bind", "idmap", uids=MAP),
               bind(place.rootfs + "/second", "/third")]
    contained(place, place.config(STAT + " /first/file /second/file /third/file", entries),
              "7:8 /first/file\n100007:100008 /second/file\n100007:100008 /third/file\n")


def earlier_mapped_mount(place):
    """the same of two id-mapped mounts in a row, which are not asked for at once"""
    tool.need_mapped_tmpfs(place)
    mount("tmpfs", place.file("data/below/"), "tmpfs")
    try:
        place.file("data/below/file", owner=(1, 2))
        entries = [bind(place.data, "/a", "rbind", "idmap", uids=MAP),
                   bind(place.rootfs + "/a/below", "/b", "bind", "idmap", uids=MAP)]
        contained(place, place.config(STAT + " /a/below/file /b/file", entries),
                  "1:2 /a/below/file\n100001:100002 /b/file\n")
    finally:
        checked(libc.umount2((place.data + "/below").encode(), 2))


def many_mounts(place):
    """more id-mapped mounts in a row than a low RLIMIT_NOFILE has descriptors"""
    need_idmap(place)
    entries = [bind(place.data, "/m%d" % i, "bind", "idmap", uids="0:%d:65536" % (i * 65536)) for i in range(1, 41)]
    config = place.config("stat -c %u /m1/file /m40/file; grep -c ' /m' /proc/self/mountinfo",
                          entries + [bind("/proc", "/proc", "rbind")])

    def few_descriptors():
        tool.unshare()
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    contained(place, config, "%d\n%d\n40\n" % (65536 + 7, 40 * 65536 + 7), preexec=few_descriptors)


def same_source_twice(place):
    """two mounts of one source with one map"""
    need_idmap(place)
    entries = [bind(place.data, "/" + name, "bind", "idmap", uids=MAP) for name in "ab"]
    contained(place, place.config(STAT + " /a/file /b/file", entries), "100007:100008 /a/file\n100007:100008 /b/file\n")


def attributes(place):
    """attributes and propagation as the options say, for plain and for id-mapped binds"""
    need_idmap(place)
    entries = [bind("/proc", "/proc", "rbind")]
    entries += [bind(place.data, name, "bind", "ro", "nosuid", "nodev", "noexec", "private", uids=uids)
                for name, uids in (("/mp", None), ("/mq", MAP))]
    entries += [bind(place.data, "/mr", "ro", "rw", "nosuid", "suid", "rshared", uids=MAP),
                bind(place.data, "/ms", "rbind", "ro", "runbindable")]
    command = init(place, place.config("cat /proc/self/mountinfo", entries))
    for parent in parents(place):
        found = [(fields[4], fields[5].replace(",relatime", ""), " ".join(fields[6:fields.index("-")]).split(":")[0])
                 for fields in (line.split() for line in both_fine(converse(command, parent)).splitlines())]
        equal([line for line in found if line[0].startswith("/m")],
              [("/mp", "ro,nosuid,nodev,noexec", ""), ("/mq", "ro,nosuid,nodev,noexec,idmapped", ""),
               ("/mr", "rw,idmapped", "shared"), ("/ms", "ro", "unbindable")])


def symlinks(place):
    """an image's symlinks lead nowhere but into the image"""
    start_containers()
    outside = place.file("outside/")
    os.symlink(outside, place.rootfs + "/absolute")
    os.symlink("../../../../.." + outside, place.rootfs + "/relative")
    os.symlink("/data", place.rootfs + "/inner")
    place.file("bundle/rootfs/data/")
    place.file("bundle/rootfs" + outside + "/secret", "image\n")
    place.file("outside/secret", "host\n")
    entries = [bind(place.data, "/absolute/a"), bind(place.data, "/relative/b"), bind(place.data, "/inner/c"),
               # a source below the root file system, too
               bind("rootfs/absolute/secret", "/source")]
    contained(place, place.config("cat /source; ls /data %s" % outside, entries),
              "image\n/data:\nc\n\n%s:\na\nb\nsecret\n" % outside)
    equal(os.listdir(outside), ["secret"])


# ---- what the host sees, and is seen of it ---------------------------------------

def isolated(place):
    """nothing of the container's mounts appears outside, also where everything is shared"""
    start_containers()
    mount(None, "/", flags=tool.MS_REC | tool.MS_SHARED)
    try:
        before = tool.mounts()
        for propagation in (None, "private", "rprivate", "slave", "rslave"):
            config = place.config("true", [bind(place.data, "/mnt", "rbind", "rshared")],
                                  linux={"rootfsPropagation": propagation})
            contained(place, config, "")
            equal(tool.mounts(), before)
    finally:
        mount(None, "/", flags=tool.MS_REC | tool.MS_PRIVATE)


def mounted_later(place):
    """what the host mounts later appears in a slave, plain or id-mapped, and not in a private mount"""
    need_idmap(place)
    below = place.file("data/below/")
    script = """echo > /a/started; i=0
    while [ $i -lt 500 ] && ! [ -e /a/below/late ]; do sleep 0.01; i=$((i + 1)); done
    ls /a/below /b/below /c/below"""
    config = place.config(script, [bind(place.data, "/a", "rbind", "rslave"), bind(place.data, "/b", "rbind", "rprivate"),
                                   bind(place.data, "/c", "rbind", "ridmap", "rslave", uids=MAP)])

    def mount_when_started():
        end = time.monotonic() + 5
        while not os.path.exists(place.data + "/started") and time.monotonic() < end:
            time.sleep(0.005)
        mount("tmpfs", below, "tmpfs")
        place.file("data/below/late")

    command = init(place, config)
    mount(None, "/", flags=tool.MS_REC | tool.MS_SHARED)
    try:
        for parent in parents(place):
            host = os.fork()
            if host == 0:
                try:
                    mount_when_started()
                finally:
                    os._exit(0)
            try:
                equal(both_fine(converse(command, parent)), "/a/below:\nlate\n\n/b/below:\n\n/c/below:\nlate\n")
            finally:
                os.waitpid(host, 0)
                checked(libc.umount2(below.encode(), 2))
                os.remove(place.data + "/started")
    finally:
        mount(None, "/", flags=tool.MS_REC | tool.MS_PRIVATE)


TESTS = [plain_bind, relative_source, id_mapped, container_map, recursive, earlier_mount, earlier_mapped_mount, many_mounts,
         same_source_twice, attributes, symlinks, isolated, mounted_later]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
