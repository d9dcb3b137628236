# SPDX-License-Identifier: MIT
"""`syncdemo run` on a root file system of layers that cannot be: refused in one line that names which, and why.

Prints TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from layers import Image
from tool import checked, contains, equal, libc, mount, ok, one_line


def fails(place, config, *parts, front=()):
    result = tool.finish(tool.start([*front, tool.TOOL, "run", "--bundle", place.write(config), "test"]))
    line = one_line(result.err)
    equal((line, result.code, result.out), (line, 1, ""))
    contains(line, *parts)
    return line


def refused(place):
    """layers that cannot be, each in one line that names it"""
    image = Image(place, place.path, 2)
    lower = ":".join(image.lower)
    for changes, parts in (
            ({"lower": ":".join((image.lower * 251)[:501])}, [
                "config.json: annotations.org.libinitsync.rootfs.lower: expected at most 500 layers, not 501"]),
            ({"lower": ""}, ["annotations.org.libinitsync.rootfs.lower: ", "without a name"]),
            ({"lower": lower + ":"}, ["annotations.org.libinitsync.rootfs.lower: ", "without a name"]),
            ({"lower": None}, ["annotations.org.libinitsync.rootfs.lower: is missing"]),
            ({"lower": 3}, ["annotations.org.libinitsync.rootfs.lower: expected a string"]),
            ({"lower": lower + ":/does/not/exist"},
             ["annotations.org.libinitsync.rootfs: overlay: lower[2]: ", "/does/not/exist"]),
            ({"lower": "/does/not/exist", "upper": None, "work": None},
             ["annotations.org.libinitsync.rootfs: lower[0]: ", "/does/not/exist"]),
            ({"lower": lower + ":/proc/sys"}, ["annotations.org.libinitsync.rootfs: overlay: lower[2]: ", "proc"]),
            ({"lower": image.lower[0] + "/same", "upper": None, "work": None}, ["lower[0]: ", "expected a directory"]),
            ({"upper": None}, ["config.json: annotations: expected both or neither", "rootfs.upper", "rootfs.work"]),
            ({"work": None}, ["config.json: annotations: expected both or neither", "rootfs.upper", "rootfs.work"]),
            ({"upper": ""}, ["annotations.org.libinitsync.rootfs.upper: expected a directory"]),
            ({"upper": "/does/not/exist"}, ["annotations.org.libinitsync.rootfs: overlay: ", "/does/not/exist"]),
            # mount(2), which is in the place of fsconfig(2) before Linux 6.5, does not say which.
            ({"options": "no_such=1"}, ["annotations.org.libinitsync.rootfs: overlay: ",
                                        "no_such" if tool.linux_is_at_least(6, 5) else "mount: Invalid argument"]),
            ({"options": "lowerdir=/"}, ["annotations.org.libinitsync.rootfs: overlay: options[0]"]),
            ({"options": "a,,b"}, ["annotations.org.libinitsync.rootfs.options: ", "without a name"]),
            ({"options": "xino=off", "lower": image.lower[1], "upper": None, "work": None},
             ["annotations.org.libinitsync.rootfs.options: one layer"]),
            ({"uper": "/x"}, ["annotations.org.libinitsync.rootfs.uper: expected lower, upper, work or options"])):
        fails(place, image.config("echo started", **changes), *parts)
    config = image.config("echo started")
    config["linux"]["namespaces"][-1]["path"] = "/proc/self/ns/user"
    del config["linux"]["uidMappings"], config["linux"]["gidMappings"]
    fails(place, config, "config.json: linux.uidMappings: expected the maps of the user namespace")
    equal(os.listdir(image.upper), [])


def apart(place):
    """upper and work on two mounts"""
    image = Image(place, place.path, 2)
    mount("other", image.work, "tmpfs")
    try:
        fails(place, image.config("echo started"), "annotations.org.libinitsync.rootfs: overlay: ", "on one mount")
    finally:
        checked(libc.umount2(image.work.encode(), 0))


def halves(place):
    """init and parent refuse it by name, each alone: neither could make it"""
    image = Image(place, place.path, 2)
    bundle = place.write(image.config("echo started", mapped=False))
    child, parent = tool.converse([*tool.OUR_INIT, "--bundle", bundle], [*tool.OUR_PARENT, "--bundle", bundle])
    said = "config.json: annotations.org.libinitsync.rootfs.lower: a root file system of layers is made by"
    contains(one_line(child.err), said)
    equal((child.code, child.out, parent.code), (1, "", 1))
    # It was told of it; of itself it says the same before anybody says anything.
    _, parent = tool.converse(["sleep", "0.1"], [*tool.OUR_PARENT, "--bundle", bundle])
    ok(one_line(parent.err).startswith(said), parent.err)
    equal((parent.code, parent.out), (1, ""))


def ordinary(place):
    """an ordinary user may not map the host's files, and is told so"""
    image = Image(place, place.path, 2)
    config = image.config("echo started")
    config["linux"].update(uidMappings=tool.extents("0:65533:1"), gidMappings=tool.extents("0:65533:1"))
    place.write(config)
    program, environment = tool.copy_tool(place)
    result = tool.finish(tool.start([program, "run", "--bundle", place.bundle, "test"], preexec_fn=tool.ordinary_user,
                                    env=environment))
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "annotations.org.libinitsync.rootfs: overlay: lower[0]: ", "Operation not permitted")


TESTS = [refused, apart, halves, ordinary]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
