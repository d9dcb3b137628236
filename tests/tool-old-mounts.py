# SPDX-License-Identifier: MIT
"""`syncdemo run` where the kernel has not all of the calls that make mounts, or a filter around it refuses some: what
mount(2) can do is the same from inside, what it cannot is refused by the name of the call.

Prints TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import box
import container
import tap
import tool
from container import need_container
from runtimes import Runtime, differences, report, scene
from tool import Skip, bind, contains, equal, ok
from variations import DATA, GROUPS, HERE, Case, all_of, mapped, mounting, namespaces, put, tmpfs

DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
# The same on every architecture that there is.
CALLS = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
         "mount_setattr": 442}
ALL = (*CALLS, "open_tree_attr")
NUMBERS = dict(CALLS, open_tree_attr=467)
OTHERS = tuple(name for name in CALLS if name != "mount_setattr")
OUTER = ("seccomp", "filters", "Seccomp")       # the filter around the runtime is the container's as well

PLAIN = GROUPS["process"][0]


class Without(Runtime):
    """Our runtime, on a kernel that answers an error to these calls."""

    def __init__(self, calls, error):
        super().__init__("syncdemo")
        self.front = prefix(calls, error)

    def command(self, place):
        return [*self.front, *super().command(place)]


def inside(place, runtime, case):
    found, said = report(place, runtime, case.config(), case.size)
    if found is not None:
        found = {key: value for key, value in found.items() if not key.startswith(OUTER)}
    return found, said


USUAL = {}      # by the name of the case: what is seen with all calls, told once


def compare(place, cases, calls, error="ENOSYS"):
    """[a line for each case that differs]"""
    wrong = []
    for case in cases:
        if case.name not in USUAL:
            USUAL[case.name], said = inside(place, Runtime("syncdemo"), case)
            ok(USUAL[case.name] is not None, (case.name, said))
        usual = USUAL[case.name]
        found, said = inside(place, Without(calls, error), case)
        if found is None or said or differences(usual, found):
            wrong.append("%s: %s" % (case.name, said or differences(usual, found)))
    return wrong


def fails(place, case, calls, *parts, error="ENOSYS"):
    found, said = report(place, Without(calls, error), case.config())
    equal((case.name, found), (case.name, None))
    lines = [line for line in said.splitlines() if "warning: " not in line]
    equal((case.name, len(lines), lines[0].startswith("syncdemo: ")), (case.name, 1, True))
    contains(said, *parts)


def each_call(place):
    """without each of the calls, missing or refused, and without all: a default container is the same from inside"""
    need_container()
    wrong = []
    with scene(place):
        for calls in (*((name,) for name in CALLS), ALL):
            for error in ("ENOSYS", "EPERM"):
                wrong += [(calls, error, line) for line in compare(place, [PLAIN], calls, error)]
    equal(wrong, [])


def is_mapped(case):
    return any("idMappings" in key for key in case.keys) or case.name in ("option idmap", "option ridmap")


def of_trees(case):
    options = case.config()["mounts"][-1].get("options", ())
    plain = {"bind", "rbind", "ro", "rw", "rprivate", "rslave", "rshared", "runbindable", "remount", "relatime", "ridmap"}
    return any(word[0] == "r" and word not in plain for word in options)


def everything(place):
    """without all: each bundle that the other runtimes are compared by, but those that take what mount(2) cannot do"""
    need_container()
    with scene(place):
        cases = [case for group in ("surroundings", "mounts", "options") for case in GROUPS[group]
                 if not is_mapped(case) and not of_trees(case) and case.name != "mount namespace of another process"]
        ok(len(cases) > 80, len(cases))
        equal(compare(place, cases, ALL), [])


def linux_510(place):
    """Linux 5.10, which has all but mount_setattr(2); and without another one, but with that: attributes of trees, too"""
    need_container()
    with scene(place):
        options = [case for case in GROUPS["options"] if not is_mapped(case)]
        equal(compare(place, [case for case in options if not of_trees(case)], ("mount_setattr",)), [])
        trees = [case for case in options if of_trees(case)]
        ok(len(trees) >= 15, len(trees))
        equal(compare(place, trees, OTHERS), [])


def terminals(place):
    """a terminal's device is bound, in a user namespace too; with hooks, devices that cannot be made, and a writable root"""
    need_container()
    cases = [case for case in GROUPS["process"] if case.name.startswith("terminal") and case.size is None]
    cases += [case for case in GROUPS["hooks"] if case.name == "all hooks"]
    cases += [Case("a user namespace, devices bound", all_of(mapped, mounting(DATA), put("root.readonly", False)))]
    with scene(place):
        equal(compare(place, cases, ALL), [])


def layered(place):
    """what several entries do to one another: on top, below, remounted, bound from where it has just been made"""
    need_container()
    cases = [
        Case("read-only, then not", mounting(tmpfs("/data", "ro", "nosuid", "noatime"), tmpfs("/data", "remount", "rw"))),
        Case("bound from the root", mounting(
            tmpfs("/tmp", "mode=0700"), bind("rootfs/tmp", "/data", "bind", "ro", "noexec"))),
        Case("a remount of the file system", mounting(
            tmpfs("/data", "size=1m", "nodev", "nodiratime"), tmpfs("/data", "remount", "size=2m", "sync", "noexec"))),
        Case("a remount of one that is read-only", mounting(
            tmpfs("/data", "size=1m", "ro"), tmpfs("/data", "remount", "size=2m", "ro"))),
        Case("a remount of the file system alone", mounting(
            container.entry("/data", "devpts", "newinstance", "ro", "mode=0620", "nosuid"),
            container.entry("/data", "devpts", "remount", "mode=0600"))),
        Case("all flags", mounting(tmpfs("/data", "ro", "nosuid", "nodev", "noexec", "nosymfollow", "noatime", "nodiratime",
                                         "sync", "dirsync", "lazytime", "size=1m", "mode=0750"))),
        Case("a bind with all flags", mounting(bind(HERE + "/tree", "/data", "rbind", "ro", "nosuid", "nodev", "noexec",
                                                    "nosymfollow", "strictatime", "nodiratime", "unbindable"))),
        Case("masked twice", put("linux.maskedPaths", ["/etc/directory", "/tmp", "/etc/secret", "/proc/keys"])),
    ]
    with scene(place):
        equal(compare(place, cases, ALL), [])
        equal(compare(place, cases, ("mount_setattr",)), [])
        equal(compare(place, cases, ("fsopen",), "EPERM"), [])


def from_the_parent(place):
    """a root file system of layers, which the parent makes: put in place all the same, or refused by the call it takes"""
    need_container()
    layers = Case("layers", put("annotations", {
        "org.libinitsync.rootfs.lower": HERE + "/bundle/rootfs:" + HERE + "/data"}))
    with scene(place):
        inside(place, Runtime("syncdemo"), layers)      # what overlayfs has as options depends on what is there already
        for calls in (("move_mount",), ("fspick",), ("mount_setattr",), ("move_mount", "fspick", "mount_setattr")):
            needed = {"move_mount", "mount_setattr"}.intersection(calls)
            if needed and not tool.feature("overlay_layer_fd"):
                # Until Linux 6.15 layers have to have a place, which is in a mount namespace of their own.
                fails(place, layers, calls, "annotations.org.libinitsync.rootfs: overlay: ", "not implemented",
                      needed.pop() if len(needed) == 1 else "mount")
            else:
                equal((calls, compare(place, [layers], calls)), (calls, []))
        fails(place, layers, ("open_tree", "open_tree_attr"), "annotations.org.libinitsync.rootfs: overlay: ", "open_tree ",
              "not implemented")
        for name, where in (("network", "/sys: sysfs"), ("pid", "/proc: proc")):
            shared = Case("shared " + name, all_of(mapped, namespaces(less=[name])))
            for calls in (("fspick",), ALL):
                fails(place, shared, calls, "config.json: mounts[", "]: %s: %s: " % (where, calls[0]), "not implemented")
        fails(place, layers, ("fsmount",), "annotations.org.libinitsync.rootfs: overlay: ", "fsmount: ", "not implemented")


def lines(text):
    """A table of mounts without the numbers that differ from run to run."""
    return [line.split(" ", 3)[3] for line in text.splitlines()]


def prefix(calls, error):
    if not os.path.exists(DENY):
        raise Skip("tests/support/deny-syscall is not built")
    return [DENY, ",".join("%d:%s" % (NUMBERS[name], error) for name in calls), "--"]


def ordinary_user(place):
    """as an ordinary user, in a user namespace of his own"""
    found = []
    for front in ([], prefix(ALL, "ENOSYS"), prefix(ALL, "EPERM"), prefix(("mount_setattr",), "ENOSYS")):
        config = box.shell("cat /proc/self/mountinfo; echo x 2>/dev/null >/tmp/x || echo no", mounts=[
            container.DEV, container.entry("/dev/pts", "devpts", "newinstance", "ptmxmode=0666"), container.SHM,
            container.MQUEUE, container.SYS, container.entry("/tmp", "tmpfs", "size=1m", "noexec", "ro"),
            bind(place.data, "/a", "bind", "ro")])
        config["linux"].update(maskedPaths=["/proc/keys", "/sys/firmware"], readonlyPaths=["/proc/sys"])
        config["root"]["readonly"] = True
        *table, last = box.ordinary(place, config, front).splitlines()
        equal(last, "no")
        found.append(lines("\n".join(table)))
    equal(found[1:], [found[0]] * 3)


def halves(place):
    """`init`, started by somebody else in its namespaces"""
    need_container()
    config = container.configure(place, "cat /proc/self/mountinfo", container.DEFAULT, maskedPaths=container.MASKED,
                                 readonlyPaths=container.READ_ONLY)
    found = []
    for front in ([], prefix(ALL, "ENOSYS")):
        found.append(lines(container.fine(tool.converse(
            [*container.UNSHARE, "--cgroup", *front, *tool.OUR_INIT, "--bundle", place.write(config)],
            [*tool.OUR_PARENT, "--bundle", place.bundle]))))
    equal(found[1], found[0])


def refused(place):
    """what mount(2) cannot do: id mapping, attributes of all mounts of a tree; nothing of it is done"""
    need_container()
    rro = Case("rro", mounting(bind(HERE + "/tree", "/data", "rbind", "rro")))
    new = Case("idmap", all_of(mapped, mounting(tmpfs("/data", "idmap"))))
    bound = Case("a bind", mounting(bind(HERE + "/data", "/ids", "bind", uids="0:7:1")))
    comma = Case("a comma", mounting(tmpfs("/data", "mpol=bind:0,1")))
    page = Case("a page", mounting(tmpfs("/data", *["size=%d" % (1 << 20)] * 350)))
    unknown = Case("unknown", mounting(tmpfs("/data", "size=1m", "nonsense=1")))
    with scene(place):
        for error, text in (("ENOSYS", "Function not implemented"), ("EPERM", "Operation not permitted")):
            fails(place, rro, ALL, "config.json: mounts[7]: ", "attributes of all mounts of a tree: ",
                  "mount_setattr: " + text, error=error)
            fails(place, new, ("mount_setattr",), "config.json: mounts[7]: ", "/data: id mapping: tmpfs: ",
                  "mount_setattr: " + text, error=error)
            fails(place, new, ("fsmount",), "/data: id mapping: tmpfs: ", "fsmount: " + text, error=error)
        fails(place, bound, ALL, "config.json: mounts[7]: ", ": open_tree %s/data: Function not implemented" % place.path)
        fails(place, comma, ("fsopen",), "mounts[7]: ", "mpol=bind:0,1: an option with a comma")
        fails(place, page, ("fsopen",), "mounts[7]: ", "options longer than the page that mount(2) takes")
        fails(place, unknown, ("fsopen",), "mounts[7]: ", "size=1m,nonsense=1: ", "mount: Invalid argument")


TESTS = [each_call, everything, linux_510, terminals, layered, from_the_parent, ordinary_user, halves, refused]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
