# SPDX-License-Identifier: MIT
"""The parent half: a second implementation, to test a child half against.

parent.py --sync-fd N --pid PID [--generation 1.2|1.4]
          [--reply open_tree|plain-open] [--delay-fd MS] [--sndbuf-min]
          [--fail-mount TEXT] [--fail-hooks TEXT] [--log FILE]
          [--mount-fd SOURCE=FDNUM ...]

Exit status 0 after a complete conversation (the end comes after procRun),
else 1 and one line on stderr.

--generation    Both answer with the same bytes; there for symmetry with child.py.
--reply         The form for binds without an id map (default: plain-open, as runc).
--fail-mount    Answers the first mount request with procError TEXT; with an
                empty TEXT it closes without a word, as runc's parent does.
--fail-hooks    The same for procHooks.
--mount-fd      Hands out FDNUM for SOURCE instead of opening it; an explicit
                --reply is then obeyed for id-mapped mounts too.

It never kills: whoever started the child owns it.
"""
import argparse
import ctypes
import os
import socket
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
import wire

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
CLONE_NEWNS = 0x20000
CLONE_NEWUSER = 0x10000000
MOUNT_ATTR_IDMAP = 0x100000
OPEN_TREE_CLONE = 1
SYS_OPEN_TREE = 428
SYS_MOUNT_SETATTR = 442
GRACE = 2   # seconds in which a child may still say something after a failure


class Failure(Exception):
    """What the child is told and the user reads; text None: the child is told nothing."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text


class ChildError(Exception):
    """The child's own procError."""


# ---- system calls ----------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (what, os.strerror(error)))
    return result


def syscall(what, *args):
    # Every argument as long: the kernel looks at whole registers.
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return check(libc.syscall(*args), what)


def open_tree(source, recursive):
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | (AT_RECURSIVE if recursive else 0)
    return syscall("open_tree", SYS_OPEN_TREE, AT_FDCWD,
                   ctypes.c_char_p(source.encode()), flags)


def map_ids(tree, userns, recursive):
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    attr = (ctypes.c_uint64 * 4)(MOUNT_ATTR_IDMAP, 0, 0, userns)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall("mount_setattr", SYS_MOUNT_SETATTR, tree, ctypes.c_char_p(b""), flags,
            ctypes.byref(attr), ctypes.sizeof(attr))


def plain_open(source):
    try:
        return os.open(source.encode(), os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, "open: " + error.strerror)


# ---- user namespaces -------------------------------------------------------

def user_namespace(mapping):
    """A descriptor of a user namespace with these maps."""
    if mapping.get("userns_path"):
        return os.open(mapping["userns_path"], os.O_RDONLY)
    # Only a process can make one; it lives until its /proc entry is open.
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        namespace_holder(theirs)
    theirs.close()
    try:
        error = int(ours.recv(16) or b"-1")
        if error:
            raise OSError(error, "unshare(CLONE_NEWUSER): %s" % os.strerror(error))
        write_map(pid, "uid_map", mapping["uid_mappings"])
        write_map(pid, "gid_map", mapping["gid_mappings"])
        return os.open("/proc/%d/ns/user" % pid, os.O_RDONLY)
    finally:
        ours.close()
        os.waitpid(pid, 0)


def namespace_holder(sock):
    try:
        failed = libc.unshare(CLONE_NEWUSER) < 0
        sock.send(b"%d" % (ctypes.get_errno() if failed else 0))
        sock.recv(1)
    finally:
        os._exit(0)


def write_map(pid, name, extents):
    fd = os.open("/proc/%d/%s" % (pid, name), os.O_WRONLY)
    try:
        os.write(fd, wire.map_text(extents).encode())   # the kernel takes one write
    except OSError as error:
        raise OSError(error.errno, "%s: %s" % (name, error.strerror))
    finally:
        os.close(fd)


# ---- mount sources ---------------------------------------------------------

def same_namespace(namespace):
    own = os.stat("/proc/self/ns/mnt")
    there = os.fstat(namespace)
    return (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino)


def open_source(namespace, mount, form, userns):
    """Runs in the helper: joins the container's mount namespace and opens there."""
    if not same_namespace(namespace):       # needs no right then
        check(libc.setns(namespace, CLONE_NEWNS), "setns")
    if form == "plain-open":
        return plain_open(mount["source"])
    fd = open_tree(mount["source"], bool(mount["flags"] & wire.MS_REC))
    if userns is not None:
        map_ids(fd, userns, bool(mount["id_mapping"].get("recursive")))
    return fd


def helper(sock, *what):
    """Sends the descriptor, or the reason why there is none; never returns."""
    try:
        fd = open_source(*what)
        socket.send_fds(sock, [b"ok"], [fd])
    except OSError as error:
        sock.send((error.strerror or str(error)).encode())
    finally:
        os._exit(0)


def open_in_namespace(pid, mount, form):
    """The source's descriptor, opened where the container sees it."""
    # The maps are written through our own /proc, the container may have none.
    mapping = mount.get("id_mapping")
    userns = user_namespace(mapping) if mapping else None
    namespace = os.open("/proc/%d/ns/mnt" % pid, os.O_RDONLY)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        # A process of its own: who has joined a namespace does not come back.
        worker = os.fork()
        if worker == 0:
            helper(theirs, namespace, mount, form, userns)
        theirs.close()
        wire.close_all([namespace] + ([] if userns is None else [userns]))
        data, fds, _, _ = socket.recv_fds(ours, 8192, 1)
        os.waitpid(worker, 0)
    if not fds:
        why = data.decode() or "the mount helper died"
        raise Failure("%s: %s" % (mount["source"], why))
    os.set_inheritable(fds[0], False)
    return fds[0]


# ---- the conversation ------------------------------------------------------

class Parent:
    """Serves one child.  The order is the table TURNS at the end of the class."""

    def __init__(self, options):
        self.options = options
        self.conn = wire.Conn(options.sync_fd, options.log, options.sndbuf_min)
        self.fds = dict(options.mount_fd)
        self.state = "init"

    def serve(self):
        while True:
            message = self.conn.recv_message()
            if message is None:
                break
            if message.type == "procError":
                raise ChildError(wire.error_text(message))
            turn = self.TURNS.get((self.state, message.type))
            if turn is None:
                raise wire.WireError("%s out of turn" % message.type)
            self.state, answer = turn
            answer(self, message)
        if self.state not in ("run", "seccomp"):
            raise Failure("the child ended the conversation before procReady")

    def mount(self, message):
        mount = message.arg
        if self.options.fail_mount is not None:
            raise Failure(self.options.fail_mount or None)
        mount["flags"] = mount.get("flags") or 0
        if not mount["flags"] & wire.MS_BIND:
            raise Failure("%s is not a bind mount" % mount["source"])
        form = self.form(mount)
        fd = self.fds.get(mount["source"])
        given = fd is not None
        if not given:
            fd = self.open(mount, form)
        self.send_mount(mount["source"], form, fd)
        if not given:
            os.close(fd)

    def form(self, mount):
        mapped = mount.get("id_mapping") is not None
        if mapped and (self.options.reply is None or mount["source"] not in self.fds):
            return "open_tree"      # nothing else can carry the maps
        return self.options.reply or "plain-open"

    def open(self, mount, form):
        try:
            return open_in_namespace(self.options.pid, mount, form)
        except OSError as error:
            raise Failure("%s: %s" % (mount["source"], error.strerror))

    def send_mount(self, source, form, fd):
        self.conn.send(wire.encode("procMountFd", wire.FLAG_FD,
                                   wire.go_json({"type": form})))
        time.sleep(self.options.delay_fd / 1000)
        self.conn.send_fd(source, fd)

    def hooks(self, message):
        if self.options.fail_hooks is not None:
            raise Failure(self.options.fail_hooks or None)
        self.conn.send(wire.encode("procHooksDone"))

    def ready(self, message):
        self.conn.send(wire.encode("procRun"))

    def seccomp(self, message):
        self.conn.send(wire.encode("procSeccompDone"))

    def fail(self, text, grace):
        """Says why, then lets the child finish its last sentence."""
        self.conn.timeout = GRACE
        try:
            if text is not None:
                self.conn.send(wire.encode_error(text))
            self.conn.sock.shutdown(socket.SHUT_WR)
            end = time.monotonic() + grace
            while grace and time.monotonic() < end:
                packet = self.conn.recv()
                if packet is None:
                    break
                wire.close_all(packet[1])
        except (OSError, wire.WireError):
            pass    # the first cause is the one that counts

    TURNS = {
        ("init", "procMountPlease"): ("init", mount),
        ("init", "procHooks"): ("hooks", hooks),
        ("init", "procReady"): ("run", ready),
        ("hooks", "procReady"): ("run", ready),
        ("run", "procSeccomp"): ("seccomp", seccomp),
    }


def converse(parent):
    """Returns None, or the line that says what went wrong."""
    try:
        parent.serve()
    except ChildError as error:
        return "procError: %s" % error
    except Failure as error:
        parent.fail(error.text, GRACE)
        return "parent: %s" % (error.text or "mount or hook failed")
    except wire.WireError as error:
        parent.fail(str(error), 0)  # only hostility explains it: no grace
        return "parent: protocol error: %s" % error
    except ConnectionError:
        return unsendable(parent)
    except OSError as error:
        return "parent: %s" % error
    return None


def unsendable(parent):
    """The child is gone, but its reason may still lie in our queue."""
    try:
        text = parent.conn.last_words()
    except (OSError, wire.WireError):
        text = None
    return "procError: %s" % text if text else "parent: the child closed its end"


def mount_fd(text):
    source, _, number = text.rpartition("=")
    if not source:
        raise argparse.ArgumentTypeError("SOURCE=FDNUM expected")
    return source, int(number)


def parse(argv):
    parser = argparse.ArgumentParser(description="the parent half")
    parser.add_argument("--sync-fd", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--generation", choices=("1.2", "1.4"), default="1.4")
    parser.add_argument("--reply", choices=("open_tree", "plain-open"))
    parser.add_argument("--delay-fd", type=int, default=0, metavar="MS")
    parser.add_argument("--sndbuf-min", action="store_true")
    parser.add_argument("--fail-mount", metavar="TEXT")
    parser.add_argument("--fail-hooks", metavar="TEXT")
    parser.add_argument("--log", metavar="FILE")
    parser.add_argument("--mount-fd", type=mount_fd, nargs="+", action="extend",
                        default=[], metavar="SOURCE=FDNUM")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    try:
        problem = converse(Parent(options))
    except (wire.WireError, OSError) as error:
        problem = "parent: %s" % error
    if problem:
        print(problem.encode("ascii", "backslashreplace").decode(), file=sys.stderr,
              flush=True)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
