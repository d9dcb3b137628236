# SPDX-License-Identifier: MIT
"""Plays child.py against parent.py, and both against the recorded conversations.

Prints TAP.  What needs root is skipped without it.
"""
import contextlib
import ctypes
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
import child
import parent
import wire

HERE = os.path.dirname(os.path.abspath(__file__))
CONVERSATIONS = os.path.join(HERE, "..", "conversations")
CLONE_NEWNS = 0x20000
MS_REC_PRIVATE = 0x4000 | 0x40000
TIMEOUT = 60    # seconds for one half, which needs less than one: only for what hangs

ONE = '[{"container_id":0,"host_id":100000,"size":65536}]'
TWO = ('[{"container_id":0,"host_id":200000,"size":10},'
       '{"container_id":1000,"host_id":300000,"size":1}]')

libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """Why a test cannot run here."""


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, wanted):
    expect(got == wanted, "got %.600r, wanted %.600r" % (got, wanted))


# ---- the two programs against each other -----------------------------------

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


# ---- one program against the recorded conversations -------------------------

def read_conversation(path):
    """(result, [(who, bytes)]) where who is c, p or p+fd."""
    lines, result = [], None
    with open(path, encoding="utf-8", newline="\n") as file:
        for text in file.read().split("\n")[:-1]:
            who, _, rest = text.partition(" ")
            if who == "#":
                found = re.fullmatch("result: (ok|error)", rest)
                result = found.group(1) if found else result
            else:
                expect(who in ("c", "p", "p+fd"), "bad line: " + text)
                lines.append((who, rest.encode()))
    return result, lines


def arg_text(data):
    return re.fullmatch(rb'\{"type":"\w+","flags":\d,"arg":(.*)\}', data).group(1).decode()


@contextlib.contextmanager
def forked(main, arguments, status):
    """Runs main in a process of its own; yields our end, expects that status."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        quiet_exit(main, ["--sync-fd", str(theirs.detach()), *arguments])
    theirs.close()
    conn = wire.Conn(ours.detach())
    conn.timeout = TIMEOUT
    try:
        yield conn
    finally:
        conn.sock.close()
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    equal(ended, status)


def quiet_exit(main, arguments):
    code = 99
    try:
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code = main(arguments)
    finally:
        os._exit(code)


def parent_arguments(lines, fd):
    """Options that make parent.py say what this recording says."""
    arguments = ["--pid", str(os.getpid())]
    for (_, before), (who, data) in zip([("", b"")] + lines, lines):
        if who == "p+fd":
            arguments += ["--mount-fd", "%s=%d" % (data.decode(), fd)]
        elif who == "p" and b"procMountFd" in data:
            # With several mounts the rule decides, with one it may be overruled.
            if sum(who == "p+fd" for who, _ in lines) == 1:
                arguments += ["--reply", wire.decode(data).arg["type"]]
        elif who == "p" and b"procError" in data:
            hooks = wire.decode(before).type == "procHooks"
            arguments += ["--fail-hooks" if hooks else "--fail-mount",
                          wire.error_text(wire.decode(data))]
    return arguments


def replay_to_parent(result, lines, fd):
    status = 0 if result == "ok" else 1
    with forked(parent.main, parent_arguments(lines, fd), status) as conn:
        for who, data in lines:
            if who == "c":
                conn.send(data)
            elif who == "p":
                equal(conn.recv(), (data, []))
            else:
                os.close(conn.recv_fd(data.decode())[1])


def child_script(lines):
    """Steps of child.py that make it say what this recording says."""
    script, waits = [], []
    answers = {"procMountPlease": "procMountFd", "procHooks": "procHooksDone",
               "procReady": "procRun", "procSeccomp": "procSeccompDone"}
    words = {"procHooks": "hooks", "procReady": "ready"}
    for (who, data), (after, _) in zip(lines, lines[1:] + [("", b"")]):
        message = wire.decode(data) if who == "c" else None
        if who == "p" and waits:
            script.append("expect " + waits.pop(0))
        elif message is None:
            pass    # a step before waits for it
        elif message.type == "procError":
            script.append("error " + (message.arg.get("message") or ""))
        elif after == "c" or waits:
            script.append("raw %r" % data)
            waits.append(answers[message.type])
        elif message.type == "procMountPlease":
            script.append("mount " + arg_text(data))
        elif message.type == "procSeccomp":
            script.append("seccomp %d" % message.arg)
        else:
            script.append(words[message.type])
    return "\n".join(script) + "\n"


def replay_to_child(lines, fd, script_path):
    with open(script_path, "w", encoding="utf-8", newline="\n") as file:
        file.write(child_script(lines))
    told = any(who == "p" and b"procError" in data for who, data in lines)
    with forked(child.main, ["--script", script_path], 3 if told else 0) as conn:
        for who, data in lines:
            if who == "c":
                equal(conn.recv(), (data, []))
            elif who == "p":
                conn.send(data)
            else:
                conn.send_fd(data.decode(), fd)
        equal(conn.recv(), None)


def generation_of(name, data):
    """Only the older runc sends this key."""
    equal(b'"relabel"' in data, name.startswith("1.2"))


def check_bytes(name, lines):
    """A recording holds what the encoders write, and one generation only."""
    kinds = set()
    for who, data in lines:
        if who == "p+fd":
            continue
        message = wire.decode(data)
        text = None if message.arg is None else wire.go_json(message.arg)
        equal(wire.encode(message.type, message.flags, text), data)
        kinds.add(message.type)
        if message.type == "procMountPlease":
            generation_of(name, data)
    return kinds


def recordings(place):
    kinds = set()
    fd = os.open(place, os.O_PATH)
    try:
        for path in sorted(glob.glob(CONVERSATIONS + "/*.txt")):
            name = os.path.basename(path)
            try:
                result, lines = read_conversation(path)
                kinds |= check_bytes(name, lines)
                replay_to_parent(result, lines, fd)
                replay_to_child(lines, fd, place + "/script")
            except (AssertionError, wire.WireError, OSError) as error:
                raise AssertionError("%s: %s" % (name, error))
    finally:
        os.close(fd)
    equal(kinds, set(wire.ARGS))


def sizes(place):
    """The sizes that the description gives."""
    for kind, size in (("procReady", 30), ("procRun", 28), ("procHooks", 30),
                       ("procHooksDone", 34), ("procSeccompDone", 36)):
        equal(len(wire.encode(kind)), size)
    for form, size in (("open_tree", 59), ("plain-open", 60)):
        equal(len(wire.encode("procMountFd", 1, wire.go_json({"type": form}))), size)


# ---- TAP --------------------------------------------------------------------

ANYONE = (sizes, recordings)
ROOT = (plain_bind, cloned_bind, child_namespace, idmap, idmap_recursive, delayed_fd,
        delayed_child, ahead, small_buffers, many_given, missing_source, mount_failure,
        silent_failure, whole_log, exec_fails, early_end, no_answer_read, refused, stopped)


def privileged():
    """Whether a child may have its own mount namespace."""
    pid = os.fork()
    if pid == 0:
        os._exit(1 if libc.unshare(CLONE_NEWNS) else 0)
    return os.waitpid(pid, 0)[1] == 0 and os.geteuid() == 0


def run_in_scratch(test):
    path = tempfile.mkdtemp(prefix="initsync-")
    os.chmod(path, 0o755)
    try:
        test(Place(path) if test in ROOT else path)
    finally:
        shutil.rmtree(path)


def attempt(number, test, root):
    name = "%d - %s" % (number, test.__name__.replace("_", " "))
    try:
        if test in ROOT and not root:
            raise Skip("needs root")
        run_in_scratch(test)
    except Skip as reason:
        print("ok %s # SKIP %s" % (name, reason), flush=True)
    except AssertionError as error:
        print("not ok %s\n# %s" % (name, str(error).replace("\n", "\n# ")), flush=True)
        return False
    else:
        print("ok " + name, flush=True)
    return True


def main():
    # Interrupted or not, the scratch directories go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    tests = ANYONE + ROOT
    root = privileged()
    print("1..%d" % len(tests), flush=True)
    results = [attempt(number, test, root) for number, test in enumerate(tests, 1)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
