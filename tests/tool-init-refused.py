# SPDX-License-Identifier: MIT
"""`syncdemo init`: containers that do not come up, and what both halves say of it.

Prints TAP.
"""
import os
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from halves import MAP, failing, init, mapped_container, parents, start_containers
from tool import OUR_PARENT, PEER_PARENT, bind, contains, converse, equal, need_idmap, ok, one_line


def own_namespace(place):
    """refused in the parent's mount namespace"""
    start_containers()
    before = tool.mounts()
    text, _ = failing(place, place.config("echo started"), "mount namespace", preexec=None)
    contains(text, "parent")
    equal(tool.mounts(), before)


def refused_mount(place):
    """the parent's words reach the user"""
    config, _ = mapped_container(place)
    failing(place, config, "not today", "config.json: mounts[", parent=[*PEER_PARENT, "--fail-mount", "not today"])
    failing(place, config, "config.json: mounts[", parent=[*PEER_PARENT, "--fail-mount", ""])
    failing(place, config, "config.json: mounts[", parent=OUR_PARENT)


def refused_hooks(place):
    """the same for hooks"""
    start_containers()
    failing(place, place.config("echo started"), "procHooks: ", "no hook", parent=[*PEER_PARENT, "--fail-hooks", "no hook"])
    failing(place, place.config("echo started"), "procHooks: ", parent=[*PEER_PARENT, "--fail-hooks", ""])


def missing_program(place):
    """a program that is not there: after procRun, and still told to the parent"""
    start_containers()
    for name, cause in (("no-such-program", "No such file"), ("/etc", "Permission denied")):
        config = place.config()
        place.file("bundle/rootfs/etc/")
        config["process"]["args"] = [name]
        for parent in parents(place):
            _, told = failing(place, config, "config.json: process.args[0]", name, cause, parent=parent)
            contains(told, name, cause)


def late_failures(place):
    """what is found while mounting names mount, path, call and cause, on both sides"""
    need_idmap(place)
    place.file("bundle/rootfs/dir/")
    place.file("bundle/rootfs/file")
    number = len(place.config()["mounts"])
    for entry, parts in (
            (bind(place.path + "/none", "/x"), ("none", "openat2", "No such file")),
            (bind(place.path + "/none", "/x", "bind", "idmap", uids=MAP), ("none", "No such file")),
            (bind(place.data, "/file"), ("/file", "Not a directory")),
            (bind(place.data + "/file", "/dir"), ("/dir", "Not a directory")),
            (bind(place.data, "/missing/../x"), ("/missing/../x", "No such file")),
            (bind(place.data, "/dir/.."), ("/dir/..", "the root file system itself")),
            (bind(place.data, "/"), ("the root file system itself",)),
            (bind("/proc/self/root/etc", "/x"), ("/proc/self/root", "symbolic links")),
            (bind("/proc", "/x", "bind", "idmap", uids=MAP), ("/proc", "proc"))):
        _, told = failing(place, place.config("echo started", [entry]), "config.json: mounts[%d]: " % number, *parts)
        contains(told, "mounts[%d]" % number, *parts)


def bad_directory(place):
    """a working directory that cannot be made, is none, or leads outside"""
    start_containers()
    place.file("bundle/rootfs/file")
    left_open = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        # All that init itself could have open, too.
        for directory in ("/file/below", "/file", *("/proc/self/fd/%d" % fd for fd in range(3, max(left_open, 12) + 1))):
            config = place.config("echo started", [bind("/proc", "/proc", "rbind")])
            config["process"]["cwd"] = directory
            failing(place, config, "config.json: process.cwd", directory, child_fds=[left_open])
    finally:
        os.close(left_open)


def program_outside(place):
    """a program by way of a directory that whoever started init left open"""
    start_containers()
    left_open = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        config = place.config(entries=[bind("/proc", "/proc", "rbind")])
        config["process"]["args"] = ["/proc/self/fd/%d/bin/echo" % left_open, "outside"]
        failing(place, config, "config.json: process.args[0]", "No such file", child_fds=[left_open])
    finally:
        os.close(left_open)


def dead_parent(place):
    """a parent that is gone, or goes while init waits for it without limit"""
    start_containers()
    command = init(place, place.config("echo started"))
    child, _ = converse(command, ["true"])
    equal((child.code, child.out), (1, ""))
    contains(one_line(child.err), "procHooks")
    begin = time.monotonic()
    child, _ = converse(command, ["sh", "-c", "sleep 0.3; kill -9 $$"])
    equal((child.code, child.out), (1, ""))
    contains(one_line(child.err), "procHooks")
    ok(time.monotonic() - begin < 2, "not within a second")


TESTS = [own_namespace, refused_mount, refused_hooks, missing_program, late_failures, bad_directory, program_outside,
         dead_parent]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
