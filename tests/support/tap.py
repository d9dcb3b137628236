# SPDX-License-Identifier: MIT
"""Runs tests of `syncdemo`, and prints TAP.

Everything happens in a mount namespace of the test's own, on a tmpfs in it, so that nothing stays behind. After each test
no process may be left and no mount may have appeared.
"""
import os
import shutil
import signal
import tempfile
import time
import traceback

from tool import (MNT_DETACH, MS_BIND, MS_PRIVATE, MS_REC, PATIENCE, PR_SET_CHILD_SUBREAPER, ROOT, TOOL, Place, Skip, equal,
                  libc, mount, mounts, unshare)


def left_processes():
    """How many processes the test left, after a moment in which they may end. Those that do not are killed."""
    left, end = set(), time.monotonic() + PATIENCE
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return len(left)
        if pid == 0 and time.monotonic() > end:
            with open("/proc/self/task/%d/children" % os.getpid(), encoding="ascii") as file:
                for child in map(int, file.read().split()):
                    left.add(child)
                    os.kill(child, signal.SIGKILL)
        if pid == 0:
            time.sleep(0.005)


def one_of_each():
    """Leave /proc and /sys alone of their kinds: a user namespace may mount either where any other is in full view."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        found = [line.split()[1:3] for line in file]
    for point, kind in found:
        if kind in ("proc", "sysfs") and point not in ("/proc", "/sys"):
            # Gone already if it was mounted below another.
            libc.umount2(point.encode().decode("unicode_escape").encode("latin-1"), MNT_DETACH)


def own_place(path):
    """A tmpfs for the tests that only they see; for an ordinary user the directory itself, and before Linux 6.3, whose tmpfs
    takes no id maps, with INITSYNC_PLACE=disk."""
    if ROOT:
        unshare()
        mount(None, "/", flags=MS_REC | MS_PRIVATE)
        one_of_each()
        if os.environ.get("INITSYNC_PLACE") == "disk":
            os.chmod(path, 0o755)
            mount(path, path, flags=MS_BIND)
        else:
            mount("tmpfs", path, "tmpfs", data="mode=0755")


def attempt(test, path):
    """What TAP says behind the number, and why."""
    before = mounts()
    directory = tempfile.mkdtemp(dir=path)
    os.chmod(directory, 0o755)
    try:
        test(Place(directory))
        equal(left_processes(), 0)
        equal(mounts(), before)
    except Skip as skip:
        return "ok", "# SKIP %s" % skip, ""
    except Exception:       # a test that breaks must not end the others
        return "not ok", "", traceback.format_exc()
    return "ok", "", ""


def selected(tests):
    """The test that INITSYNC_TEST names, if it is set, else all."""
    name = os.environ.get("INITSYNC_TEST")
    return [test for test in tests if test.__name__ == name] if name else tests


def main(tests):
    tests = selected(tests)
    if not os.path.exists(TOOL):
        print("1..0 # SKIP syncdemo is not built")
        return 0
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    path = tempfile.mkdtemp()
    failed = 0
    try:
        own_place(path)
        for number, test in enumerate(tests, 1):
            verdict, remark, why = attempt(test, path)
            name = (test.__doc__ or test.__name__.replace("_", " ")).split("\n")[0]
            print(verdict, number, "-", name, remark, flush=True)
            for line in why.splitlines():
                print("#", line, flush=True)
            failed += verdict != "ok"
    finally:
        if ROOT:
            libc.umount2(path.encode(), 2)
        shutil.rmtree(path, ignore_errors=True)
    print("1..%d" % len(tests))
    return 1 if failed else 0
