# SPDX-License-Identifier: MIT
"""Plays child.py against parent.py: recordings.py plays both against the recorded conversations.

Prints TAP.  What needs root is skipped without it.
"""
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
import tap
import wire
from tap import CLONE_NEWNS, HERE, TIMEOUT, Skip, equal, expect, libc

MS_REC_PRIVATE = 0x4000 | 0x40000

ONE = '[{"container_id":0,"host_id":100000,"size":65536}]'
TWO = ('[{"container_id":0,"host_id":200000,"size":10},'
       '{"container_id":1000,"host_id":300000,"size":1}]')


def syscall_ok(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def own_mounts(tmpfs):
    """In the child before exec: a mount namespace with a tmpfs of its own."""
    syscall_ok(libc.unshare(CLONE_NEWNS))
    syscall_ok(libc.mount(None, b"/", None, MS_REC_PRIVATE, None))
    syscall_ok(libc.mount(b"tmpfs", tmpfs.encode(), b"tmpfs", 0, b"size=64k"))
    os.mkdir(tmpfs + "/inside")
    os.chown(tmpfs + "/inside", 11, 12)


def start(program, fd, *args, fds=(), **kwargs):
    command = [sys.executable, os.path.join(HERE, program), "--sync-fd", str(fd), *args]
    return subprocess.Popen(command, pass_fds=[fd, *fds], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **kwargs)


class Place:
    """A scratch directory: data/ owned by 1:2, and own/, where the child mounts a tmpfs."""

    def __init__(self, path):
        self.path = path
        self.data = path + "/data"
        self.own = path + "/own"
        for name in (self.data, self.own):
            os.mkdir(name)
        os.chown(self.data, 1, 2)

    def run(self, script, to_child=(), to_parent=(), fds=()):
        """Returns (status, stdout, stderr) of the child and of the parent."""
        with open(self.path + "/script", "w", encoding="utf-8") as file:
            file.write(script)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            kid = start("child.py", theirs.fileno(), "--script", file.name, *to_child,
                        preexec_fn=lambda: own_mounts(self.own))
            server = start("parent.py", ours.fileno(), "--pid", str(kid.pid), *to_parent,
                           fds=fds)
        return finish_both(kid, server)


def finish_both(*halves):
    try:
        return [finish(half) for half in halves]
    except subprocess.TimeoutExpired as error:
        raise AssertionError("no end: ...%r %r" % ((error.stdout or b"")[-100:],
                                                   error.stderr))
    finally:
        for half in halves:
            half.kill()     # nothing, if it has ended
            half.wait()


def finish(process):
    out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err


def both_fine(result):
    """The child's output, if both halves ended well and in silence."""
    (code, out, err), server = result
    equal((code, err), (0, ""))
    equal(server, (0, "", ""))
    return out


def bind(source, flags=4096, mapping=""):
    return '{"source":%s,"destination":"/mnt","device":"bind","flags":%d%s}' % (
        wire.go_json(source), flags, mapping)


def id_mapping(uids, gids, recursive=False):
    return ',"id_mapping":{%s"uid_mappings":%s,"gid_mappings":%s}' % (
        '"recursive":true,' if recursive else "", uids, gids)


def line(source, form, uid, gid):
    return "mount %s type=%s st_uid=%d st_gid=%d\n" % (source, form, uid, gid)


# ---- what goes well ---------------------------------------------------------

def plain_bind(place):
    for generation in ("1.2", "1.4"):
        out = both_fine(place.run("mount %s\nhooks\nready\n" % place.data,
                                  ["--generation", generation],
                                  ["--generation", generation]))
        equal(out, line(place.data, "plain-open", 1, 2))


def cloned_bind(place):
    out = both_fine(place.run("mount %s\nhooks\nready\n" % bind(place.data, 4096 + 16384),
                              to_parent=["--reply", "open_tree"]))
    equal(out, line(place.data, "open_tree", 1, 2))


def child_namespace(place):
    """Only in the child's mount namespace is there such a directory."""
    source = place.own + "/inside"
    for form in ("open_tree", "plain-open"):
        out = both_fine(place.run("mount %s\nready\n" % bind(source),
                                  to_parent=["--reply", form]))
        equal(out, line(source, form, 11, 12))


def idmap(place):
    # Which file systems can map ids depends on the kernel: one of the two does.
    for source, ids in ((place.data, (100001, 200002)), (place.own + "/inside", None)):
        script = "mount %s\nready\n" % bind(source, 4096, id_mapping(ONE, TWO))
        result = place.run(script)
        if "Invalid argument" in result[0][2]:
            continue
        # In TWO there is no 12: it becomes the overflow id.
        equal(both_fine(result), line(source, "open_tree", *(ids or (100011, 65534))))
        return
    raise Skip("no file system with id-mapped mounts")


def idmap_recursive(place):
    # The child's tmpfs is below the source and mapped as well.
    script = "mount %s\nready\n" % bind(place.path, 4096 + 16384,
                                        id_mapping(ONE, ONE, recursive=True))
    result = place.run(script)
    if "mount_setattr: Invalid argument" in result[0][2]:
        raise Skip("no id-mapped mounts of both file systems")
    equal(both_fine(result), line(place.path, "open_tree", 100000, 100000))


def delayed_fd(place):
    start_time = time.monotonic()
    out = both_fine(place.run("mount %s\nready\n" % place.data,
                              to_parent=["--delay-fd", "200"]))
    equal(out, line(place.data, "plain-open", 1, 2))
    expect(time.monotonic() - start_time >= 0.2, "not delayed")


def delayed_child(place):
    both_fine(place.run("mount %s\nhooks\nready\n" % place.data, ["--delay", "20"]))


def ahead(place):
    out = both_fine(place.run("mounts 64 %s\nhooks\nready\n" % bind(place.data)))
    equal(out, 64 * line(place.data, "plain-open", 1, 2))


def small_buffers(place):
    out = both_fine(place.run("mounts 64 %s\nhooks\nready\n" % bind(place.data),
                              ["--sndbuf-min"], ["--sndbuf-min"]))
    equal(out, 64 * line(place.data, "plain-open", 1, 2))


def many_given(place):
    """700 requests: more than the default buffers hold at once."""
    fd = os.open(place.data, os.O_PATH)
    try:
        out = both_fine(place.run("mounts 700 %s\nready\n" % bind("/srv/data"),
                                  to_parent=["--mount-fd", "/srv/data=%d" % fd], fds=[fd]))
    finally:
        os.close(fd)
    equal(out, 700 * line("/srv/data", "plain-open", 1, 2))


def whole_log(place):
    """Both halves into one log: every packet written once and read once, in turn."""
    log = place.path + "/log"
    args = ["--log", log]
    both_fine(place.run("mount %s\nhooks\nready\nseccomp 8\nexec true\n" % place.data,
                        args, args))
    with open(log, encoding="utf-8") as file:
        lines = file.read().splitlines()
    equal(len(lines), 16)
    for written, read in zip(lines[::2], lines[1::2]):
        equal(written.replace("write ", "read ", 1), read)
    equal(re.findall(r'read {"type":"(\w+)"', "\n".join(lines)),
          ["procMountPlease", "procMountFd", "procHooks", "procHooksDone",
           "procReady", "procRun", "procSeccomp", "procSeccompDone"])


def stopped(place):
    """A stopped child is waited for."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with open(place.path + "/script", "w") as file:
        file.write("stop\nready\n")
    with ours, theirs:
        kid = start("child.py", theirs.fileno(), "--script", file.name)
        server = start("parent.py", ours.fileno(), "--pid", str(kid.pid))
    os.waitpid(kid.pid, os.WUNTRACED)
    kid.send_signal(signal.SIGCONT)
    both_fine(finish_both(kid, server))


# ---- what does not ----------------------------------------------------------

def failed(result, child_err, parent_err, child_code=3):
    (code, _, err), server = result
    equal((code, err), (child_code, child_err + "\n"))
    equal(server, (1, "", parent_err + "\n"))


def missing_source(place):
    text = place.path + "/none: open_tree: No such file or directory"
    result = place.run("mount %s\n" % bind(place.path + "/none", 4096, id_mapping(ONE, ONE)))
    failed(result, "procError: " + text, "parent: " + text)


def mount_failure(place):
    result = place.run("mounts 40 %s\n" % bind(place.data), to_parent=["--fail-mount", "no"])
    failed(result, "procError: no", "parent: no")


def silent_failure(place):
    result = place.run("mount %s\n" % bind(place.data), to_parent=["--fail-mount", ""])
    failed(result, "child: the end instead of procMountFd", "parent: mount or hook failed", 4)


def exec_fails(place):
    text = "exec /nowhere/a b: No such file or directory"
    result = place.run("ready\nexec '/nowhere/a b' x\n")
    failed(result, "child: " + text, "procError: " + text, 1)


def early_end(place):
    result = place.run("hooks\nexit 0\n")
    equal(result[0][0], 0)
    equal(result[1], (1, "", "parent: the child ended the conversation before procReady\n"))


def no_answer_read(place):
    """The child is gone before the answer, its reason is not lost."""
    result = place.run("raw b'%s'\nerror changed my mind\n"
                       % wire.encode("procReady").decode())
    equal(result[1], (1, "", "procError: changed my mind\n"))


def refused(place):
    """What only hostility explains: said, and then the end."""
    ready = wire.encode("procReady").decode()
    for step, text in (
            ("raw b''", "an empty packet"),
            ("raw b'{}\\n'", "a packet that is not exactly one object"),
            ("raw b'{\"type\":\"procReady\",\"flags\":NaN}'", "bad JSON: NaN is not JSON"),
            ("fds 2 " + ready, "2 descriptors beside a message"),
            ("raw b'%s'" % wire.encode("procRun").decode(), "procRun out of turn"),
            ("mount " + bind("/srv", 4096, id_mapping(
                ONE.replace("65536", "4294967296"), ONE)), "bad size in uid_mappings")):
        result = place.run(step + "\nexpect procHooksDone\n")
        failed(result, "procError: " + text, "parent: protocol error: " + text)


TESTS = [plain_bind, cloned_bind, child_namespace, idmap, idmap_recursive, delayed_fd, delayed_child, ahead, small_buffers,
         many_given, whole_log, stopped, missing_source, mount_failure, silent_failure, exec_fails, early_end,
         no_answer_read, refused]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS, Place, None if tap.privileged() else "needs root"))
