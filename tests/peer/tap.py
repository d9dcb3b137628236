# SPDX-License-Identifier: MIT
"""Tests of the two programs here: each in a scratch directory of its own, with a line of TAP."""
import ctypes
import os
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CLONE_NEWNS = 0x20000
TIMEOUT = 60    # seconds for one half, which needs less than one: only for what hangs
libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """Why a test cannot run here."""


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, wanted):
    expect(got == wanted, "got %.600r, wanted %.600r" % (got, wanted))


def privileged():
    """Whether a child may have its own mount namespace."""
    pid = os.fork()
    if pid == 0:
        os._exit(1 if libc.unshare(CLONE_NEWNS) else 0)
    return os.waitpid(pid, 0)[1] == 0 and os.geteuid() == 0


def run_in_scratch(test, make):
    path = tempfile.mkdtemp(prefix="initsync-")
    os.chmod(path, 0o755)
    try:
        test(make(path))
    finally:
        shutil.rmtree(path)


def attempt(number, test, make, skipped):
    name = "%d - %s" % (number, test.__name__.replace("_", " "))
    try:
        if skipped:
            raise Skip(skipped)
        run_in_scratch(test, make)
    except Skip as reason:
        print("ok %s # SKIP %s" % (name, reason), flush=True)
    except AssertionError as error:
        print("not ok %s\n# %s" % (name, str(error).replace("\n", "\n# ")), flush=True)
        return False
    else:
        print("ok " + name, flush=True)
    return True


def main(tests, make=str, skipped=None):
    """Each test gets what @make makes of the path of its directory. @skipped: why none can run here."""
    # Interrupted or not, the scratch directories go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print("1..%d" % len(tests), flush=True)
    results = [attempt(number, test, make, skipped) for number, test in enumerate(tests, 1)]
    return 0 if all(results) else 1
