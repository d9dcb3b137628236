# SPDX-License-Identifier: MIT
"""A mount source on a file server that never answers: the tool ends in time, and so does whoever reads its output.

Prints TAP.
"""
import os
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from tool import Skip, contains, equal, finish, need_root, ok, one_line, pair, peer, start, unshare

LIMIT = 2               # seconds, --timeout of the tool


def hung_directory(place):
    """A mount of the hung server, which is returned too."""
    need_root("mount a file system in user space")
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    directory = place.file("hung/")
    server = start([*peer("hung_fuse.py"), directory])
    if server.stdout.readline() != "ready\n":
        server.kill()
        raise Skip("no FUSE here: " + server.communicate()[1].strip())
    return directory, server


def stop(directory, server):
    server.kill()
    server.communicate()
    tool.checked(tool.libc.umount2(directory.encode(), 2))


def ask(place, source, command):
    """The tool as the parent of a child that asks for @source; its result and how long it took."""
    script = place.file("script", "mount %s\nready\n" % source)
    with pair() as (ours, theirs):
        child = start([*peer("child.py"), "--sync-fd", str(theirs.fileno()), "--script", script], [theirs.fileno()],
                      preexec_fn=unshare)
        began = time.monotonic()
        parent = start([part.format(fd=ours.fileno(), pid=child.pid) for part in command], [ours.fileno()])
    result = finish(parent)
    took = time.monotonic() - began
    return result, finish(child), took


def in_time(place, source, command):
    """What ask() gives, within the limit and a second. Late may be the machine, which other tests keep busy: for a while."""
    for _ in range(6):
        result, child, took = ask(place, source, command)
        if took < LIMIT + 1:
            break
        time.sleep(5)
    ok(LIMIT <= took < LIMIT + 1, "it took %.2f s" % took)
    return result, child


def orphans(states):
    """What the tool left behind and this process, as a subreaper, got: those in one of these states."""
    with open("/proc/self/task/%d/children" % os.getpid(), encoding="ascii") as file:
        pids = file.read().split()
    found = []
    for pid in pids:
        with open("/proc/%s/stat" % pid, encoding="ascii", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
        if state in states:
            found.append(pid)
    return found


def reap():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    time.sleep(0.01)


def hung_source(place):
    """the tool ends within its limit and a second, and says what hung"""
    directory, server = hung_directory(place)
    command = [tool.TOOL, "parent", "--sync-fd", "{fd}", "--pid", "{pid}", "--allow-any-mount", "--timeout", str(LIMIT)]
    try:
        result, child = in_time(place, directory + "/file", command)
    finally:
        stop(directory, server)
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "mount request 0", directory + "/file", "in time")
    contains(child.err, "in time")
    equal(child.code, 3)


def hung_pipe(place):
    """a reader of its output sees the end as well"""
    directory, server = hung_directory(place)
    script = ("%s parent --sync-fd {fd} --pid {pid} --allow-any-mount --timeout %d 2>&1 | cat" % (tool.TOOL, LIMIT))
    try:
        result, _ = in_time(place, directory + "/file", ["sh", "-c", script])
    finally:
        stop(directory, server)
    contains(result.out, "in time")


def abandoned_task(place):
    """the task that hung goes away with its server"""
    directory, server = hung_directory(place)
    command = [tool.TOOL, "parent", "--sync-fd", "{fd}", "--pid", "{pid}", "--allow-any-mount", "--timeout", "1"]
    try:
        ask(place, directory + "/file", command)
        ok(orphans("D"), "nothing hangs: the server answered, and this test tests nothing")
    finally:
        stop(directory, server)
    end = time.monotonic() + 2
    while orphans("DSRZ") and time.monotonic() < end:
        reap()
    equal(orphans("DSRZ"), [])


TESTS = [hung_source, hung_pipe, abandoned_task]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
