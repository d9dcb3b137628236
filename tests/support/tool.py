# SPDX-License-Identifier: MIT
"""What the tests of `syncdemo` have in common: what they expect, calls of the kernel, the two halves, bundles.

tap.py runs them.
"""
import collections
import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys


def _of_a_stranger_never(call):
    """kill(2) of what cannot be ours, 0 and -1 and init, is a bug of the test, which root would not survive."""
    def checked(pid, number):
        if pid <= 1:
            raise ValueError("kill of %d" % pid)
        call(pid, number)
    return checked


os.kill = _of_a_stranger_never(os.kill)
os.killpg = _of_a_stranger_never(os.killpg)

BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))
PEER = os.path.join(SOURCE, "tests", "peer")
# Seconds for one process; a conversation takes milliseconds. An emulated processor needs more.
PATIENCE = int(os.environ.get("INITSYNC_PATIENCE", "1"))
TIMEOUT = 10 * PATIENCE

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 1, 0x1000, 0x4000, 0x40000, 0x100000
MNT_DETACH = 2
PR_SET_CHILD_SUBREAPER = 36
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

libc = ctypes.CDLL(None, use_errno=True)
NO_LEAK_TEST = "ASAN_OPTIONS=detect_leaks=0"
Result = collections.namedtuple("Result", "code out err")


class Skip(Exception):
    """Why a test cannot run here."""


def ok(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, wanted):
    ok(got == wanted, "got %r, wanted %r" % (got, wanted))


def contains(text, *parts):
    for part in parts:
        ok(part in text, "no %r in %r" % (part, text))


def need_root(what):
    if not ROOT:
        raise Skip("needs root to " + what)


def checked(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def unshare(flags=CLONE_NEWNS):
    checked(libc.unshare(flags))


def is_root():
    """Root that may make mount namespaces, and has all the user ids that the tests use."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        first, _, count = map(int, file.readline().split())
    if os.geteuid() != 0 or first != 0 or count < 1 << 22:
        return False
    pid = os.fork()
    if pid == 0:
        os._exit(libc.unshare(CLONE_NEWNS) and 1)
    return os.waitpid(pid, 0)[1] == 0


ROOT = is_root()


def setns(fd, kind=CLONE_NEWNS):
    checked(libc.setns(fd, kind))


def mount(source, target, kind=None, flags=0, data=None):
    encode = [None if text is None else text.encode() for text in (source, target, kind)]
    checked(libc.mount(*encode, ctypes.c_ulong(flags), None if data is None else data.encode()))


def mounts(pid="self"):
    with open("/proc/%s/mountinfo" % pid, encoding="utf-8", errors="replace") as file:
        return file.read()


# ---- the programs ----------------------------------------------------------

def find_program(directory, name):
    """The program itself: where it is linked with the shared library, libtool's wrapper would add a shell to each start."""
    program = os.path.join(directory, name)
    if os.path.exists(program):
        with open(program, "rb") as file:
            if file.read(4) == b"\x7fELF":
                return program
    return os.path.join(directory, ".libs", name)


TOOL = find_program(BUILD, "syncdemo")
if os.path.dirname(TOOL) == os.path.join(BUILD, ".libs"):
    os.environ["LD_LIBRARY_PATH"] = os.path.join(BUILD, ".libs")


# The same program, to load shared libraries, where the other one does not.
DYNAMIC = find_program(os.path.join(BUILD, "tests", "support"), "syncdemo-dynamic")


def install(path, target):
    """A copy in the place of an earlier one, which somebody may still execute."""
    shutil.copy(path, target + ".new")
    os.rename(target + ".new", target)


def copy_tool(place, dynamic=False):
    """A copy where every user can get at it, and the environment that it needs; on demand one that loads libraries."""
    copy, libs = place.file("bin/"), os.path.join(BUILD, ".libs")
    files = {"syncdemo": DYNAMIC if dynamic and os.path.exists(DYNAMIC) else TOOL}
    files.update({name: os.path.join(libs, name) for name in os.listdir(libs) if name.startswith("libinitsync.so")})
    for name, path in files.items():
        install(path, os.path.join(copy, name))
    return os.path.join(copy, "syncdemo"), dict(os.environ, LD_LIBRARY_PATH=copy)


def ordinary_user():
    """In a child before exec: somebody without rights. Nothing to do for one who already is."""
    if ROOT:
        os.setgroups([])
        os.setresgid(65533, 65533, 65533)
        os.setresuid(65533, 65533, 65533)


def peer(name):
    return [sys.executable, os.path.join(PEER, name)]


def start(command, fds=(), **kwargs):
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, errors="backslashreplace", **kwargs)


def finish(process, timeout=TIMEOUT):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("no end of %r: %r %r" % (process.args, out, err))
    return Result(process.returncode, out, err)


def run(*args, **kwargs):
    """syncdemo alone."""
    return finish(start([TOOL, *args], **kwargs))


def feature(name):
    """Has this kernel what `syncdemo features` calls so? Where that takes rights: in a user namespace of its own."""
    for command in ([], ["unshare", "--user", "--map-root-user", "--mount"]):
        result = finish(start([*command, TOOL, "features"]))
        if result.code == 0 and json.loads(result.out)["features"][name] is True:
            return True
    return False


def linux_is_at_least(*release):
    return tuple(int(number) for number in os.uname().release.split(".")[:2]) >= release


def need_feature(name, release):
    if not feature(name):
        raise Skip("no %s before Linux %s" % (name, release))


def one_line(text):
    """The one line of a failure, without what it begins with."""
    ok(text.startswith("syncdemo: ") and text.endswith("\n") and text.count("\n") == 1, "not one line: %r" % text)
    return text[len("syncdemo: "):-1]


@contextlib.contextmanager
def pair():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def converse(child, parent, child_fds=(), preexec=unshare, **kwargs):
    """Runs both commands, with their socket's number and the child's PID filled in; returns both results."""
    if PATIENCE > 1 and "parent" in parent and "--timeout" not in parent:
        parent = [*parent, "--timeout", str(TIMEOUT // 2)]
    with pair() as (ours, theirs):
        kid = start([part.format(fd=theirs.fileno()) for part in child], [theirs.fileno(), *child_fds],
                    preexec_fn=preexec, **kwargs)
        server = start([part.format(fd=ours.fileno(), pid=kid.pid) for part in parent], [ours.fileno()])
    try:
        # Not reaped before: the server names it by its PID.
        served = finish(server)
        return finish(kid), served
    finally:
        for process in (kid, server):
            if process.poll() is None:
                process.kill()
                process.communicate()


def strace(*args):
    """A command in front that traces; no test of leaks works under a tracer."""
    command = shutil.which("strace")
    if not command or finish(start([command, "-o", "/dev/null", "true"])).code != 0:
        raise Skip("no strace that can trace here")
    return [command, "-f", "-E", NO_LEAK_TEST, *args]


OUR_PARENT = [TOOL, "parent", "--sync-fd", "{fd}", "--pid", "{pid}"]
# In a container without /proc a sanitizer could not look for leaks.
OUR_INIT = ["env", NO_LEAK_TEST, TOOL, "init", "--sync-fd", "{fd}"]
PEER_PARENT = [*peer("parent.py"), "--sync-fd", "{fd}", "--pid", "{pid}"]
PEER_CHILD = [*peer("child.py"), "--sync-fd", "{fd}"]


# ---- places and bundles ----------------------------------------------------

HOST_DIRECTORIES = ("bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr")


class Place:
    """A directory that goes away with the test, and the bundle in it."""

    def __init__(self, path):
        self.path = path
        self.bundle = self.file("bundle/")
        self.rootfs = self.file("bundle/rootfs/")
        self.data = self.file("data/")
        self.file("data/file", "content\n", (7, 8))

    def file(self, name, content="", owner=None):
        """Makes a file, or with a '/' at the end a directory; returns its path."""
        path = os.path.join(self.path, name)
        if name.endswith("/"):
            os.makedirs(path, exist_ok=True)
            path = path.rstrip("/")
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        if owner and ROOT:
            os.chown(path, *owner)
        return path

    def host_mounts(self):
        """What makes the host's programs run inside."""
        entries = []
        for name in HOST_DIRECTORIES:
            host, inside = "/" + name, os.path.join(self.rootfs, name)
            if os.path.islink(host):
                if not os.path.islink(inside):
                    os.symlink(os.readlink(host), inside)
            elif os.path.isdir(host):
                entries.append(bind(host, host, "rbind", "ro"))
        return entries

    def config(self, script="true", entries=(), **changes):
        """A configuration that runs a shell script."""
        config = {
            "ociVersion": "1.2.0",
            "root": {"path": "rootfs"},
            "process": {"args": ["/bin/sh", "-c", script], "env": ["PATH=" + PATH], "cwd": "/",
                        "user": {"uid": 0, "gid": 0}},
            "mounts": self.host_mounts() + list(entries),
            "linux": {"namespaces": [{"type": "mount"}]},
        }
        config.update(changes)
        return config

    def write(self, config):
        """config.json from a dict, or from its very text."""
        if isinstance(config, dict):
            config = json.dumps(config)
        if isinstance(config, str):
            config = config.encode()
        with open(os.path.join(self.bundle, "config.json"), "wb") as file:
            file.write(config)
        return self.bundle


def bind(source, destination, *options, uids=None, gids=None):
    entry = {"destination": destination, "type": "bind", "source": source, "options": list(options) or ["bind"]}
    if uids:
        entry["uidMappings"] = extents(uids)
        entry["gidMappings"] = extents(gids or uids)
    return entry


def extents(text):
    """"0:100000:65536,..." as in a configuration."""
    return [dict(zip(("containerID", "hostID", "size"), map(int, extent.split(":")))) for extent in text.split(",")]


def need_idmap(place):
    """The file system of the test's own place takes id maps."""
    need_root("make id-mapped mounts")
    probe = place.file("probe/")
    result = run("idmap", "--map-uids", "0:1:1", "--map-gids", "0:1:1", probe, probe)
    if result.code != 0:
        raise Skip("no id-mapped mount here: " + one_line(result.err))
    checked(libc.umount2(probe.encode(), 2))


def need_mapped_tmpfs(place):
    """A tmpfs does from Linux 6.3 on, which is not what the place is on where it does not."""
    need_root("mount a tmpfs")
    probed = place.file("probed/")
    mount("tmpfs", probed, "tmpfs")
    try:
        need_idmap(Place(probed))
    finally:
        checked(libc.umount2(probed.encode(), 0))
        os.rmdir(probed)
