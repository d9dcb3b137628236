# SPDX-License-Identifier: MIT
"""How many system calls the main operations take, and which: one more is a failure, and so is a table in doc/performance.md that
says something else.

Calls that are the C library's own affair (memory, its threads) or that no operation of ours decides on do not count. Prints TAP.
"""
import collections
import os
import re
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from tool import Skip, equal, need_root, ok

PROGRAM = os.path.join(tool.BUILD, "tests", "support", "operations")
TIMES = 9
NOT_COUNTED = {
    "brk", "mmap", "munmap", "mprotect", "madvise", "mremap", "futex", "getpid", "gettid", "nanosleep", "clock_nanosleep",
    "set_robust_list", "rseq", "set_tid_address", "sched_yield", "restart_syscall", "rt_sigreturn", "clock_gettime", "exit",
    "exit_group", "sigaltstack", "membarrier", "tgkill"}
# Of the helper of a user namespace, which may be killed before it gets there.
OF_THE_HELPER = {"prctl", "getppid", "ppoll"}
NUMBERS = {"syscall_0x1d3": "open_tree_attr", "syscall_0x1ca": "listmount"}     # what an old strace does not know

REQUEST = {
    # the child
    "sendmsg": 2, "recvmsg": 4,         # also the parent's: takes the request, gives an order; and the mount task's, which takes it
    # the parent
    "epoll_wait": 1,
    # the mount task
    "ppoll": 1, "openat2": 2, "statx": 2, "close": 3, "sendmmsg": 1}
EXPECTED = {
    "userns": {"openat": 1, "fstatfs": 1, "statx": 1, "readlinkat": 3, "pidfd_send_signal": 4, "rt_sigprocmask": 2, "clone": 1,
               "openat2": 2, "write": 2, "pread64": 2, "ioctl": 1, "waitid": 1, "close": 4},
    "cached": {"fcntl": 1},
    "plain": dict(REQUEST, open_tree=1),
    "mapped": dict(REQUEST, open_tree_attr=1),
    # a task holds a copy of the runtime's mount namespace meanwhile; one statx and listmount count the mounts in the tree
    "tree": dict(REQUEST, open_tree_attr=1, setns=3, fchdir=1, socketpair=1, rt_sigprocmask=2, clone=1, prctl=1, getppid=1,
                 open_tree=1, shutdown=1, ppoll=3, pidfd_send_signal=2, waitid=1, close=7, statx=3, listmount=1),
    "session": {"socketpair": 1, "clone": 1, "getsockopt": 4, "setsockopt": 10, "fcntl": 3, "epoll_create1": 1, "timerfd_create": 1,
                "epoll_ctl": 4, "timerfd_settime": 2, "pidfd_open": 1, "pidfd_send_signal": 1, "epoll_wait": 3, "recvmsg": 5,
                "sendmsg": 4, "ppoll": 1, "shutdown": 1, "close": 8, "wait4": 1},
}


def calls(path):
    """A Counter for each stretch between two marks, over all processes; what was begun in it counts."""
    stretches, current = [], None
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = re.match(r"\d+ +([a-z_0-9]+)\(", line)
            if not found:
                continue
            name = NUMBERS.get(found.group(1), found.group(1))
            if name == "getpgid" and "-7000" in line:
                if current is None:
                    current = collections.Counter()
                else:
                    stretches.append(current)
                    current = None
            elif current is not None and name not in NOT_COUNTED:
                current[{"epoll_pwait": "epoll_wait", "ppoll_time64": "ppoll"}.get(name, name)] += 1
    return stretches


def counted(place, operation):
    """What it takes when nothing else happens, like a look at the clock: the most frequent of the stretches."""
    log = place.file("calls")
    command = tool.strace("-o", log, PROGRAM, operation)
    result = tool.finish(tool.start(command), timeout=60)
    equal((result.code, result.out), (0, ""))
    stretches = calls(log)
    equal(len(stretches), TIMES)
    if operation == "userns":
        for stretch in stretches:
            for name in OF_THE_HELPER:
                stretch.pop(name, None)
    if operation == "tree":
        for stretch in stretches:
            stretch["ppoll"] = min(stretch["ppoll"], 3)     # the fourth is where the holder of the copy waits for its end
    most = collections.Counter(tuple(sorted(one.items())) for one in stretches).most_common(1)[0][0]
    return dict(most)


def check(place, operation):
    need_root("have calls counted")
    if not os.path.exists(PROGRAM):
        raise Skip("tests/support/operations is not built")
    got, wanted = counted(place, operation), {name: n for name, n in EXPECTED[operation].items() if n}
    differ = ["%s %d, not %d" % (name, got.get(name, 0), wanted.get(name, 0)) for name in sorted({*got, *wanted})
              if got.get(name, 0) != wanted.get(name, 0)]
    ok(not differ, "%s: %d calls, not %d: %s" % (operation, sum(got.values()), sum(wanted.values()), "; ".join(differ)))
    documented(operation, sum(got.values()))


def documented(operation, n):
    with open(os.path.join(tool.SOURCE, "doc", "performance.md"), encoding="utf-8") as file:
        ok(re.search(r"^\| `%s` \| %d \|" % (operation, n), file.read(), re.M), "doc/performance.md does not say %d" % n)


def userns(place):
    """a user namespace takes as many system calls as it did, all of them expected"""
    check(place, "userns")


def cached(place):
    """a user namespace of the cache likewise"""
    check(place, "cached")


def plain(place):
    """a plain mount request likewise: child, parent and mount task together"""
    check(place, "plain")


def mapped(place):
    """an id-mapped mount request likewise"""
    check(place, "mapped")


def tree(place):
    """an id-mapped mount request for a tree of mounts likewise: with a copy of the runtime's mount namespace"""
    check(place, "tree")


def session(place):
    """a conversation of only hooks and ready likewise, and nothing is started for it"""
    check(place, "session")


if __name__ == "__main__":
    sys.exit(tap.main([userns, cached, plain, mapped, tree, session]))
