# SPDX-License-Identifier: MIT
"""`syncdemo run` as an ordinary user: maps that cannot be, and newuidmap that is not there, fails or hangs. Prints TAP."""
import contextlib
import os
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import PROC
from rootless import FIRST, GID, OWN, PASSWD, UID, box, fails, files, need_helpers, run, start
from tool import MS_BIND, bind, checked, equal, libc, mount, ok


def maps_refused(place):
    """maps that cannot be: which, by its path, and why; before anything is started"""
    need_helpers()

    def no_new_privs():
        libc.prctl(38, 1, 0, 0, 0)

    def other_group():
        os.setresgid(65532, 65532, 65532)

    def change_group():
        os.setgroups([])
        os.setresgid(65532, 65532, 65532)
        os.setresuid(UID, UID, UID)

    more = box(place, "echo started", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    path = "config.json: linux.uidMappings[1]: 100 ids from %d on: " % FIRST
    alone = path + "only %d, the own one, can be mapped here: " % UID
    for changed, text in (
            ({"subuid": "somebody:%d:99\n" % FIRST}, path + "neither the own one nor in /etc/subuid for user %d" % UID),
            ({"subuid": "other:%d:200\n%d:%d:9\n" % (FIRST, UID, FIRST)}, path + "neither"),
            ({"subuid": "somebody:%d:-1\nsomebody\nsomebody:%d\n:::\nsomebody: %d:100\n\0\n" % (FIRST, FIRST, FIRST)},
             alone + "/etc/subuid has no ids for somebody"),
            ({"subgid": "\n"}, alone + "/etc/subgid has no ids for somebody"),
            ({"subgid": "somebody:%d:1\n" % FIRST}, path.replace("uid", "gid") + "neither the own one nor in /etc/subgid"),
            ({"passwd": "root:x:0:0::/:/bin/sh\n"}, alone + "newuidmap needs an entry of user %d in /etc/passwd" % UID)):
        with files(place, **changed):
            fails(place, more, text)
    with files(place):
        fails(place, more, alone + "newuidmap cannot work under no_new_privs", before=no_new_privs)
        mapped = box(place, "echo started", [PROC, bind(place.data, "/mnt", uids="0:1:1")], uids=OWN)
        fails(place, mapped, "config.json: mounts[1].uidMappings[0]: 1 ids from 1 on: neither")
    with files(place, passwd=PASSWD.replace(":%d::" % GID, ":7::")):
        fails(place, more, alone + "newuidmap needs the group that /etc/passwd has for somebody, 7, not %d" % GID)
    with files(place, subuid="%d:%d:60\nsomebody:%d:40\n" % (UID, FIRST + 40, FIRST)):
        equal(run(place, more), (0, "started\n", ""))


def adjacent(place):
    """the own id between two ranges of subordinate ones: newuidmap takes it alone only"""
    need_helpers()
    below = "somebody:%d:100\n" % (UID - 100)
    for lines in (below, "somebody:%d:100\n" % (UID + 1), below + "somebody:%d:100\n" % (UID + 1)):
        with files(place, subuid=lines):
            equal(run(place, box(place, "id -u")), (0, "0\n", ""))


# ---- newuidmap -------------------------------------------------------------------------

def helper_fails(place):
    """a newuidmap that is not there, fails, or does not end"""
    need_helpers()
    config = box(place, "echo started", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    script = "#!/bin/sh\n"
    for content, text in (("echo some words >&2; echo more >&2; exit 3\n", "/usr/bin/newuidmap: exit status 3: some words"),
                          ("kill -TERM $$\n", "/usr/bin/newuidmap: signal 15"), ("exit 0\n", "Operation not permitted"),
                          ("i=0; while [ $i -lt 999 ]; do echo 0123456789; i=$((i+1)); done >&2; exit 1\n",
                           "exit status 1: 0123"),
                          ("exec sleep 60\n", "/usr/bin/newuidmap: no end after 5 seconds")):
        with files(place, others=[("/usr/bin/newuidmap", script + content, 0o755)]):
            fails(place, config, text, timeout=2 * tool.TIMEOUT)
    # Neither our environment nor our descriptors: it is another user's program that has root's rights.
    out = place.file("helper-output")
    os.chmod(out, 0o666)
    content = "env >%s; ls /proc/$$/fd >>%s; pwd >>%s; exit 1\n" % (out, out, out)
    with files(place, others=[("/usr/bin/newuidmap", script + content, 0o755)]):
        fails(place, config, "exit status 1")
    with open(out, encoding="utf-8") as file:
        lines = file.read().split()
    # The shell's own: some variables, and the script.
    equal(sorted(line for line in lines if not line.startswith(("PWD=", "_=", "OLDPWD=", "SHLVL=")) and
                 line not in ("3", "10", "11", "255")), ["/", "0", "1", "2", "LC_ALL=C"])


def mentioning(text):
    """Those with @text in their arguments."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/cmdline" % name, "rb") as file:
            if text.encode() in file.read():
                found.append(int(name))
    return found


def killed_with_helper(place):
    """SIGKILL while newuidmap runs leaves nothing, nor does it while the namespace is entered"""
    need_helpers()
    config = box(place, "sleep 30", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    for content in ("exec sleep 60\n", None):
        with files(place, others=[("/usr/bin/newuidmap", "#!/bin/sh\n" + content, 0o755)] if content else []):
            for moment in range(2 if content else 40):
                process = start(place, config)
                end = time.monotonic() + tool.TIMEOUT
                while content and len(mentioning(place.bundle)) < 2:
                    ok(time.monotonic() < end, "no namespace")
                    time.sleep(0.01)
                time.sleep(moment / 2000)
                process.kill()
                process.communicate(timeout=tool.TIMEOUT)
                while mentioning(place.bundle):
                    ok(time.monotonic() < end, "left: %r" % mentioning(place.bundle))
                    time.sleep(0.01)


def helper_missing(place):
    """newuidmap is looked for in the system's directories, not in PATH"""
    need_helpers()
    config = box(place, "echo started", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    bins = place.file("usr-bin/")
    with files(place):
        mount(bins, "/usr/bin", flags=MS_BIND)
        try:
            fails(place, config, "can be mapped here: newuidmap and newgidmap are not installed")
        finally:
            checked(libc.umount2(b"/usr/bin", 2))


TESTS = [maps_refused, adjacent, helper_fails, killed_with_helper, helper_missing]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
