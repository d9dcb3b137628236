# SPDX-License-Identifier: MIT
"""`syncdemo init`: mounts in a user namespace, and those that the kernel refuses, in one line each.

Prints TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import (CGROUPS, DEFAULT, DEV, MASKED, MQUEUE, NODES, OUTSIDE, PROC, PTS, READ_ONLY, SYS, devices, entry,
                       fails, in_user_namespace, need_container, output, over, seen)
from tool import bind, checked, equal, libc, ok


# ---- in a user namespace ---------------------------------------------------------

def user_namespace(place):
    """all default mounts in a user namespace"""
    need_container()
    with over(CGROUPS, "cgroup2"):
        found = seen(place, DEFAULT, start=in_user_namespace, maskedPaths=MASKED, readonlyPaths=READ_ONLY, readonly=True)
        for item in DEFAULT:
            ok(item["destination"] in found, item["destination"])
        equal(found[CGROUPS][:3], ({"ro", "nosuid", "nodev", "noexec"}, [], "cgroup2"))
        got = devices(place, [PROC, DEV, PTS], start=in_user_namespace)
        for name, number in NODES.items():
            ok(got[name].startswith("c %s " % number), "%s: %s" % (name, got[name]))
        equal(output(place, "echo x > /dev/null; head -c2 /dev/zero | wc -c; stat -c %u /dev/shm", DEFAULT,
                     start=in_user_namespace), "2\n0\n")


def locked_attributes(place):
    """in a user namespace a bind keeps what its source has, and says so when told otherwise"""
    need_container()
    with over(place.data, "tmpfs"):
        place.file("data/file", "content\n")
        checked(libc.mount(None, place.data.encode(), None, tool.MS_BIND | 0x20 | 15 | 1024, None))
        start = in_user_namespace
        found = seen(place, [PROC, bind(place.data, "/a"), bind(place.data, "/b", "rbind", "nosuid", "ro")], start=start)
        equal((found["/a"][0], found["/b"][0]), 2 * ({"ro", "nosuid", "nodev", "noexec", "noatime"},))
        for word, name in (("rw", "ro"), ("suid", "nosuid"), ("dev", "nodev"), ("exec", "noexec"), ("rrw", "ro")):
            fails(place, [bind(place.data, "/a", "bind", word)], "config.json: mounts[0]: ",
                  "the source is %s, which" % name, "mount_setattr: Operation not permitted", start=start)
        fails(place, [bind(place.data, "/a", "bind", "strictatime")], "cannot change the access times", start=start)


def hidden_sources(place):
    """in a user namespace, sources that only root can reach: plain, id-mapped, with the container's map, in the root"""
    need_container()
    tool.need_idmap(place)
    place.file("hidden/inner/file", "secret\n", (OUTSIDE + 7, OUTSIDE + 8))
    place.file("hidden/host/file", "secret\n", (7, 8))
    os.chmod(place.path + "/hidden", 0o700)
    hidden = place.path + "/hidden"
    entries = [bind(hidden + "/inner", "/plain", "bind", "ro", "nosuid"), bind(hidden + "/host", "/own", "bind", "idmap"),
               bind(hidden + "/host", "/tree", "rbind", "ridmap"),
               bind(hidden + "/host", "/other", "bind", uids="0:%d:100" % (OUTSIDE + 1000)),
               bind("rootfs/own", "/again", "bind")]
    maps = tool.extents("0:%d:65536" % OUTSIDE)
    script = "cat /plain/file; stat -c '%u:%g %n' /*/file; touch /plain/x 2>&1 | grep -c Read-only"
    equal(output(place, script, entries, start=in_user_namespace, namespaces="mount pid", uidMappings=maps,
                 gidMappings=maps),
          "secret\n7:8 /again/file\n1007:1008 /other/file\n7:8 /own/file\n7:8 /plain/file\n7:8 /tree/file\n1\n")


# ---- what does not come up ---------------------------------------------------------

def missing_namespaces(place):
    """in a user namespace: what each file system takes, by name"""
    need_container()
    start = in_user_namespace
    for item, namespaces, text in ((PROC, "mount", "PID namespace"), (SYS, "mount pid", "network namespace"),
                                   (MQUEUE, "mount pid", "IPC namespace"),
                                   (entry("/g", "cgroup2"), "mount pid", "cgroup namespace")):
        fails(place, [item], "config.json: mounts[0]: %s: " % item["destination"], text, "Operation not permitted",
              start=start, namespaces=namespaces)
    fails(place, [entry("/d", "devtmpfs")], "/d: ", "devtmpfs: ", "Operation not permitted", start=start)
    single = lambda place, config: in_user_namespace(place, config, count=1)
    fails(place, [DEV, PTS], "config.json: mounts[1]: /dev/pts: ", "gid=5", "an id that this user namespace does not have",
          start=single)
    fails(place, [entry("/t", "tmpfs", "uid=7")], "uid=7", "an id that this user namespace does not have", start=single)
    with over("/proc/bus", "tmpfs"), over("/sys/firmware", "tmpfs"):
        fails(place, [PROC], "/proc: a part of /proc is masked", "fsmount: Operation not permitted", start=start)
        fails(place, [SYS], "/sys: a part of /sys is masked", "fsmount: Operation not permitted", start=start)


BROKEN = (
    (entry("/t", "tmpfs", "no-such-option"),
     "/t: tmpfs: Unknown parameter 'no-such-option': no-such-option: fsconfig: Invalid argument"),
    (entry("/t", "tmpfs", "size=much"), "/t: tmpfs: Bad value for 'size': size=much: fsconfig: Invalid argument"),
    (entry("/t", "tmpfs", "mode=999"), "mode=999: fsconfig: Invalid argument"),
    (entry("/t", "tmpfs", "mode="), "mode=: fsconfig: Invalid argument"),
    (entry("/t", "tmpfs", "=x"), "=x: fsconfig: "),
    (entry("/t", "tmpfs", "x" * 70 + "=1"), "fsconfig: "),
    (entry("/t", "tmpfs", "size=" + "1" * 300), "longer than the 255 bytes"),
    (entry("/t", "tmpfs", source="x" * 300), "longer than the 255 bytes"),
    (bind("/proc/self/fd/0", "/t"), "a magic link of /proc, which is not followed"),
    (bind("/proc/self/root/etc", "/t"), "a magic link of /proc, which is not followed"),
    (entry("/t", "no-such-type"), "/t: a file system that this kernel does not have: no-such-type: fsopen: No such device"),
    (entry("/t", "\x1b[31m"), "\\x1b[31m: fsopen: "),
    (entry("/t", "ext4", source="/no/such/device"), "/t: "),
    (entry("/t", "overlay", "lowerdir=/no/such/directory"), "/t: "),
    (entry("/p", "proc", "hidepid=nine"), "/p: proc: unknown value of hidepid - nine: hidepid=nine: "),
    (entry("/t", "devpts", "ptmxmode=x"), "fsconfig: Invalid argument"),
    (entry("/", "tmpfs"), "root file system itself"),
    (entry("/bin/busybox", "tmpfs"), "/bin/busybox"),
    (bind("/no/such/source", "/t"), "/no/such/source: openat2: No such file"),
    (bind("/proc/self/exe", "/t"), "/proc/self/exe: openat2: Too many levels"),
    (bind("/bin", "/bin/busybox"), "/bin/busybox"),
)


def broken_mounts(place):
    """mounts that the kernel refuses: its own words, behind the place in config.json"""
    need_container()
    for item, text in BROKEN:
        fails(place, [bind(place.data, "/right"), item], "config.json: mounts[1]: ", text)


TESTS = [user_namespace, locked_attributes, hidden_sources, missing_namespaces, broken_mounts]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
