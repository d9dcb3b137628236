# SPDX-License-Identifier: MIT
"""`syncdemo init`: real containers, with our own parent half and with the one in Python: what becomes of the
process, who may start it, and peers that are slow or watched. Prints TAP.
"""
import fcntl
import os
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from halves import STAT, both_fine, contained, init, mapped_container, start_containers
from tool import OUR_PARENT, PEER_PARENT, Skip, bind, contains, converse, equal, need_root, ok, one_line


# ---- what comes up -----------------------------------------------------------

def process(place):
    """arguments, environment, directory, PATH"""
    start_containers()
    inside = place.file("bundle/rootfs/work/run-me", "#!/bin/sh\necho \"$0\" \"$@\" $A $PWD\nexit 0\n")
    os.chmod(inside, 0o755)
    config = place.config()
    config["process"].update(args=["run-me", "a b", ""], env=["A=1", "PATH=/nowhere:/work:" + tool.PATH], cwd="/work")
    contained(place, config, "/work/run-me a b  1 /work\n")
    config["process"].update(args=["env"], env=["PATH=" + tool.PATH, "B=x y", "C"])
    contained(place, config, "PATH=%s\nB=x y\nC\nHOME=/\n" % tool.PATH)


def identity(place):
    """user, groups, umask, capabilities, no_new_privs, hostname by init; limits by the parent"""
    start_containers()
    config = place.config("id -u; id -g; id -G; umask; uname -n; ulimit -n; cat /proc/self/oom_score_adj; "
                          "grep -E 'Cap|NoNewPrivs' /proc/self/status", [bind("/proc", "/proc", "rbind")], hostname="box",
                          linux={"namespaces": [{"type": "mount"}, {"type": "uts"}]})
    sets = {name: ["CAP_KILL"] for name in ("bounding", "permitted", "effective", "inheritable", "ambient")}
    config["process"].update(user={"uid": 1000, "gid": 1001, "additionalGids": [5], "umask": 0o027}, noNewPrivileges=True,
                             capabilities=sets, rlimits=[{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}], oomScoreAdj=9)
    result = converse(init(place, config), [*OUR_PARENT, "--bundle", place.bundle],
                      preexec=lambda: tool.unshare(tool.CLONE_NEWNS | 0x4000000))
    equal(both_fine(result), "1000\n1001\n1001 5\n0027\nbox\n50\n9\n" +
          "".join("Cap%s:\t%016x\n" % (name, 1 << 5) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")) + "NoNewPrivs:\t1\n")


def clean_process(place):
    """no descriptor, signal or file mode mask of whoever started init comes along, but the mask is kept"""
    start_containers()
    config = place.config("ls /proc/self/fd; grep -E 'Sig(Ign|Blk)' /proc/self/status; umask",
                          [bind("/proc", "/proc", "rbind"), bind(place.data, "/deep/er/data")])

    def careless():
        tool.unshare()
        os.umask(0o077)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)

    with open(place.data + "/file", encoding="utf-8") as file:
        contained(place, config, "0\n1\n2\n3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0077\n",
                  child_fds=[file.fileno()], preexec=careless, restore_signals=False)
    # 3 is the directory that ls reads.
    equal(os.stat(place.rootfs + "/deep/er").st_mode & 0o777, 0o755)


def closed_streams(place):
    """without standard streams"""
    start_containers()
    config = place.config("(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 > /mnt/out); true",
                          [bind("/proc", "/proc", "rbind"), bind(place.data, "/mnt")])

    def close():
        tool.unshare()
        for fd in range(3):
            os.close(fd)

    contained(place, config, "", preexec=close)
    with open(place.data + "/out", encoding="utf-8") as file:
        equal([line.rsplit("/", 1)[1] for line in file], 3 * ["null\n"])


def read_only_root(place):
    """root.readonly, after the mount points were made"""
    start_containers()
    config = place.config("touch /here 2>&1 | grep -q Read-only && echo no; touch /new/below/there && echo yes",
                          [bind(place.data, "/new/below")], root={"path": "rootfs", "readonly": True})
    contained(place, config, "no\nyes\n")


# ---- in a user namespace ------------------------------------------------------

def user_namespace(place):
    """in a user namespace, a source that only the parent can reach"""
    need_root("map user ids")
    hidden = place.file("hidden/")
    place.file("hidden/inner/file", owner=(100000, 100001))
    os.chmod(hidden, 0o700)
    os.chmod(place.path, 0o711)
    program, environment = tool.copy_tool(place)
    config = place.config(STAT + " /mnt/file; id -u", [bind(hidden + "/inner", "/mnt")])
    os.chown(place.rootfs, 100000, 100000)
    launcher = place.file("launcher.py", LAUNCHER)
    command = [sys.executable, launcher, program, "init", "--sync-fd", "{fd}", "--bundle", place.write(config)]
    for parent in ([*OUR_PARENT, "--bundle", place.bundle], PEER_PARENT, [*PEER_PARENT, "--reply", "open_tree"]):
        child, served = converse(command, parent, preexec=None, env=environment)
        equal((child.code, child.err), (0, ""))
        equal((child.out, served), ("0:1 /mnt/file\n0\n", (0, "", "")))


# Becomes id 0 of a new user namespace, whose maps another process writes.
LAUNCHER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
ask, answer = os.pipe(), os.pipe()
if os.fork() == 0:
    os.read(ask[0], 1)
    for name in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (os.getppid(), name), "w") as file:
            file.write("0 100000 65536")
    os.write(answer[1], b"1")
    os._exit(0)
if libc.unshare(0x10020000):
    sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
os.write(ask[1], b"1")
os.close(answer[1])
if not os.read(answer[0], 1):
    sys.exit("no id maps")
os.wait()
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

BOTH_HALVES = """
unshare --mount --propagation unchanged "$0" init --sync-fd 9 --bundle "$1" 8>&- &
exec 9>&-
"$0" parent --sync-fd 8 --pid $! --bundle "$1" || exit
wait $!
"""


def ordinary_user(place):
    """both halves as an ordinary user, in a user namespace with a single id"""
    os.chmod(place.path, 0o755)
    program, environment = tool.copy_tool(place)
    place.file("bundle/rootfs/mnt/")
    if tool.ROOT:
        for directory, _, _ in os.walk(place.bundle):
            os.chown(directory, 65533, 65533)
    config = place.config("cat /mnt/new/file; id -u; touch /mnt/new/file 2>&1 | grep -cE 'Read-only|denied'",
                          [bind(place.data, "/mnt/new", "bind", "ro", "nosuid")])
    place.write(config)
    for command in (["unshare", "--user", "--map-root-user", "--mount", "true"],
                    ["unshare", "--user", "--map-root-user", "sh", "-c", BOTH_HALVES, program, place.bundle]):
        with tool.pair() as (ours, theirs):
            def prepare(fds=(ours.fileno(), theirs.fileno())):
                # First out of the way of 8 and 9, as which the shell knows them.
                for fd, number in zip([fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in fds], (8, 9)):
                    os.dup2(fd, number)
                tool.ordinary_user()
            if not shutil.which("unshare"):
                raise Skip("no unshare(1)")
            process = tool.start(command, [8, 9], preexec_fn=prepare, env=environment)
        result = tool.finish(process)
        if command[-1] == "true" and result.code != 0:
            raise Skip("no user namespaces here: " + result.err.strip())
    equal(result, (0, "content\n0\n1\n", ""))


# ---- started by somebody else -------------------------------------------------

def launched(place):
    """started by a launcher that came along into the namespaces"""
    start_containers()
    command = ["unshare", "--mount", "--pid", "--fork", "--propagation", "unchanged",
               *init(place, place.config("echo $$"))]
    if not shutil.which("unshare"):
        raise Skip("no unshare(1)")
    child, parent = converse(command, PEER_PARENT, preexec=None)
    if "/proc does not show" in child.err or "is that of the parent" in child.err:
        raise Skip("this kernel does not tell whose socket it is: Linux 6.11")
    equal((child, parent), ((0, "1\n", ""), (0, "", "")))


def launched_by_number(place):
    """the same on a kernel older than 6.11, where init can still see the process that made the socket pair"""
    start_containers()
    if os.uname().machine != "x86_64":
        raise Skip("the number of ioctl(2) is not known here")
    older = [os.path.join(tool.BUILD, "tests", "support", "deny-syscall"), "16/1=%d:ENOTTY" % 0xFF03, "--"]
    command = [*older, "unshare", "--mount", "--fork", "--propagation", "unchanged", *init(place, place.config("echo fine"))]
    child, parent = converse(command, PEER_PARENT, preexec=None)
    equal((child, parent), ((0, "fine\n", ""), (0, "", "")))
    # And it still sees when there is none of its own.
    child, _ = converse([*older, *init(place, place.config("true"))], PEER_PARENT, preexec=None)
    contains(one_line(child.err), "the mount namespace is that of the parent")


# ---- a peer that is slow, small, or watched ----------------------------------

def delayed_descriptor(place):
    """the descriptor comes 200 ms after its message"""
    config, wanted = mapped_container(place)
    begin = time.monotonic()
    equal(both_fine(converse(init(place, config), [*PEER_PARENT, "--delay-fd", "200"])), wanted)
    ok(time.monotonic() - begin >= 0.6, "not delayed")


def small_buffers(place):
    """with the smallest send buffers"""
    config, wanted = mapped_container(place)
    equal(both_fine(converse(init(place, config), [*PEER_PARENT, "--sndbuf-min"])), wanted)


def traced(place):
    """under strace, either half and both"""
    config, wanted = mapped_container(place)
    command, parent = init(place, config), [*OUR_PARENT, "--bundle", place.bundle]
    # -D: the process that was started stays the container's.
    watch_init = tool.strace("-D", "-o", place.path + "/init.strace")
    watch_parent = tool.strace("-o", place.path + "/parent.strace")
    equal(both_fine(converse([*watch_init, *command], parent)), wanted)
    equal(both_fine(converse(command, [*watch_parent, *parent])), wanted)
    equal(both_fine(converse([*watch_init, *command], [*watch_parent, *parent])), wanted)


def trace(place):
    """--trace on stderr, --trace=FILE with JSON lines"""
    start_containers()
    command = init(place, place.config("true"))
    child, parent = converse([*command, "--trace"], PEER_PARENT)
    equal((child.code, child.out, parent.code), (0, "", 0))
    contains(child.err, "procHooks", "procReady", "procRun")
    file = place.path + "/trace"
    equal(both_fine(converse([*command, "--trace=" + file], PEER_PARENT)), "")
    with open(file, encoding="utf-8") as lines:
        contains(lines.read(), "procHooksDone", "procRun")


TESTS = [process, identity, clean_process, closed_streams, read_only_root, user_namespace, ordinary_user, launched,
         launched_by_number, delayed_descriptor, small_buffers, traced, trace]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
