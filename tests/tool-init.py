# SPDX-License-Identifier: MIT
"""`syncdemo init`: real containers, with our own parent half and with the one in Python.

Prints TAP.
"""
import fcntl
import os
import resource
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tool
from tool import (OUR_INIT, OUR_PARENT, PEER_PARENT, Skip, bind, checked, contains, converse, equal, libc, mount,
                  need_idmap, need_root, ok, one_line)

MAP = "0:100000:65536"
STAT = "stat -c '%u:%g %n'"


def start_containers():
    need_root("start containers")


def parents(place):
    """The two that every container is started with."""
    return ([*OUR_PARENT, "--bundle", place.bundle], PEER_PARENT)


def init(place, config):
    return [*OUR_INIT, "--bundle", place.write(config)]


def both_fine(result):
    """What the container printed, if both halves ended well and in silence."""
    child, parent = result
    equal((child.code, child.err), (0, ""))
    equal(parent, (0, "", ""))
    return child.out


def contained(place, config, wanted, **kwargs):
    """Runs the container with either parent; both must print the same."""
    command = init(place, config)
    for parent in parents(place):
        equal(both_fine(converse(command, parent, **kwargs)), wanted)


def failing(place, config, *parts, parent=None, **kwargs):
    """A container that must not come up; both halves say why."""
    child, served = converse(init(place, config), parent or [*OUR_PARENT, "--bundle", place.bundle], **kwargs)
    text = one_line(child.err)
    equal((child.code, child.out), (1, ""))
    contains(text, *parts)
    equal(served.code, 1)
    return text, served.err


# ---- what comes up -----------------------------------------------------------

def plain_bind(place):
    """plain binds, made by init itself"""
    start_containers()
    config = place.config(STAT + " /mnt/data/file /mnt/one; cat /mnt/one",
                          [bind(place.data, "/mnt/data"), bind(place.data + "/file", "/mnt/one")])
    contained(place, config, "7:8 /mnt/data/file\n7:8 /mnt/one\ncontent\n")


def relative_source(place):
    """sources and root file system relative to the bundle"""
    start_containers()
    place.file("bundle/inner/file", owner=(3, 4))
    config = place.config(STAT + " /a/file /b/file", [bind("inner", "/a"), bind("./x/..//../data/", "/b")])
    place.file("bundle/x/")
    contained(place, config, "3:4 /a/file\n7:8 /b/file\n")


def id_mapped(place):
    """id-mapped binds, opened by the parent"""
    need_idmap(place)
    config = place.config(STAT + " /mnt/data/file /mnt/one",
                          [bind(place.data, "/mnt/data", "bind", "idmap", uids="0:100000:65536", gids="0:200000:65536"),
                           bind(place.data + "/file", "/mnt/one", "bind", uids="7:70:1", gids="8:80:1")])
    contained(place, config, "100007:200008 /mnt/data/file\n70:80 /mnt/one\n")


def container_map(place):
    """idmap without mappings takes those of the container"""
    need_idmap(place)
    config = place.config(STAT + " /mnt/file", [bind(place.data, "/mnt", "bind", "idmap")],
                          linux={"uidMappings": tool.extents(MAP), "gidMappings": tool.extents(MAP)})
    contained(place, config, "100007:100008 /mnt/file\n")


def recursive(place):
    """rbind and ridmap are two things"""
    tool.need_mapped_tmpfs(place)
    mount("tmpfs", place.file("data/below/"), "tmpfs")
    try:
        place.file("data/below/file", owner=(1, 2))
        entries = [bind(place.data, "/a", "rbind", "ridmap", uids=MAP), bind(place.data, "/b", "rbind", "idmap", uids=MAP),
                   bind(place.data, "/c", "bind", "idmap", uids=MAP)]
        script = "%s /a/file /a/below/file /b/file /b/below/file /c/file; test -e /c/below/file || echo none" % STAT
        contained(place, place.config(script, entries),
                  "100007:100008 /a/file\n100001:100002 /a/below/file\n100007:100008 /b/file\n1:2 /b/below/file\n"
                  "100007:100008 /c/file\nnone\n")
    finally:
        checked(libc.umount2((place.data + "/below").encode(), 2))


def earlier_mount(place):
    """a source inside the root file system that an earlier mount brings"""
    need_idmap(place)
    entries = [bind(place.data, "/first"),
               bind("rootfs/first", "/second", "bind", "idmap", uids=MAP),
               bind(place.rootfs + "/second", "/third")]
    contained(place, place.config(STAT + " /first/file /second/file /third/file", entries),
              "7:8 /first/file\n100007:100008 /second/file\n100007:100008 /third/file\n")


def earlier_mapped_mount(place):
    """the same of two id-mapped mounts in a row, which are not asked for at once"""
    tool.need_mapped_tmpfs(place)
    mount("tmpfs", place.file("data/below/"), "tmpfs")
    try:
        place.file("data/below/file", owner=(1, 2))
        entries = [bind(place.data, "/a", "rbind", "idmap", uids=MAP),
                   bind(place.rootfs + "/a/below", "/b", "bind", "idmap", uids=MAP)]
        contained(place, place.config(STAT + " /a/below/file /b/file", entries),
                  "1:2 /a/below/file\n100001:100002 /b/file\n")
    finally:
        checked(libc.umount2((place.data + "/below").encode(), 2))


def many_mounts(place):
    """more id-mapped mounts in a row than a low RLIMIT_NOFILE has descriptors"""
    need_idmap(place)
    entries = [bind(place.data, "/m%d" % i, "bind", "idmap", uids="0:%d:65536" % (i * 65536)) for i in range(1, 41)]
    config = place.config("stat -c %u /m1/file /m40/file; grep -c ' /m' /proc/self/mountinfo",
                          entries + [bind("/proc", "/proc", "rbind")])

    def few_descriptors():
        tool.unshare()
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    contained(place, config, "%d\n%d\n40\n" % (65536 + 7, 40 * 65536 + 7), preexec=few_descriptors)


def same_source_twice(place):
    """two mounts of one source with one map"""
    need_idmap(place)
    entries = [bind(place.data, "/" + name, "bind", "idmap", uids=MAP) for name in "ab"]
    contained(place, place.config(STAT + " /a/file /b/file", entries), "100007:100008 /a/file\n100007:100008 /b/file\n")


def attributes(place):
    """attributes and propagation as the options say, for plain and for id-mapped binds"""
    need_idmap(place)
    entries = [bind("/proc", "/proc", "rbind")]
    entries += [bind(place.data, name, "bind", "ro", "nosuid", "nodev", "noexec", "private", uids=uids)
                for name, uids in (("/mp", None), ("/mq", MAP))]
    entries += [bind(place.data, "/mr", "ro", "rw", "nosuid", "suid", "rshared", uids=MAP),
                bind(place.data, "/ms", "rbind", "ro", "runbindable")]
    command = init(place, place.config("cat /proc/self/mountinfo", entries))
    for parent in parents(place):
        found = [(fields[4], fields[5].replace(",relatime", ""), " ".join(fields[6:fields.index("-")]).split(":")[0])
                 for fields in (line.split() for line in both_fine(converse(command, parent)).splitlines())]
        equal([line for line in found if line[0].startswith("/m")],
              [("/mp", "ro,nosuid,nodev,noexec", ""), ("/mq", "ro,nosuid,nodev,noexec,idmapped", ""),
               ("/mr", "rw,idmapped", "shared"), ("/ms", "ro", "unbindable")])


def read_only_root(place):
    """root.readonly, after the mount points were made"""
    start_containers()
    config = place.config("touch /here 2>&1 | grep -q Read-only && echo no; touch /new/below/there && echo yes",
                          [bind(place.data, "/new/below")], root={"path": "rootfs", "readonly": True})
    contained(place, config, "no\nyes\n")


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


def symlinks(place):
    """an image's symlinks lead nowhere but into the image"""
    start_containers()
    outside = place.file("outside/")
    os.symlink(outside, place.rootfs + "/absolute")
    os.symlink("../../../../.." + outside, place.rootfs + "/relative")
    os.symlink("/data", place.rootfs + "/inner")
    place.file("bundle/rootfs/data/")
    place.file("bundle/rootfs" + outside + "/secret", "image\n")
    place.file("outside/secret", "host\n")
    entries = [bind(place.data, "/absolute/a"), bind(place.data, "/relative/b"), bind(place.data, "/inner/c"),
               # a source below the root file system, too
               bind("rootfs/absolute/secret", "/source")]
    contained(place, place.config("cat /source; ls /data %s" % outside, entries),
              "image\n/data:\nc\n\n%s:\na\nb\nsecret\n" % outside)
    equal(os.listdir(outside), ["secret"])


def isolated(place):
    """nothing of the container's mounts appears outside, also where everything is shared"""
    start_containers()
    mount(None, "/", flags=tool.MS_REC | tool.MS_SHARED)
    try:
        before = tool.mounts()
        for propagation in (None, "private", "rprivate", "slave", "rslave"):
            config = place.config("true", [bind(place.data, "/mnt", "rbind", "rshared")],
                                  linux={"rootfsPropagation": propagation})
            contained(place, config, "")
            equal(tool.mounts(), before)
    finally:
        mount(None, "/", flags=tool.MS_REC | tool.MS_PRIVATE)


def mounted_later(place):
    """what the host mounts later appears in a slave, plain or id-mapped, and not in a private mount"""
    need_idmap(place)
    below = place.file("data/below/")
    script = """echo > /a/started; i=0
    while [ $i -lt 500 ] && ! [ -e /a/below/late ]; do sleep 0.01; i=$((i + 1)); done
    ls /a/below /b/below /c/below"""
    config = place.config(script, [bind(place.data, "/a", "rbind", "rslave"), bind(place.data, "/b", "rbind", "rprivate"),
                                   bind(place.data, "/c", "rbind", "ridmap", "rslave", uids=MAP)])

    def mount_when_started():
        end = time.monotonic() + 5
        while not os.path.exists(place.data + "/started") and time.monotonic() < end:
            time.sleep(0.005)
        mount("tmpfs", below, "tmpfs")
        place.file("data/below/late")

    command = init(place, config)
    mount(None, "/", flags=tool.MS_REC | tool.MS_SHARED)
    try:
        for parent in parents(place):
            host = os.fork()
            if host == 0:
                try:
                    mount_when_started()
                finally:
                    os._exit(0)
            try:
                equal(both_fine(converse(command, parent)), "/a/below:\nlate\n\n/b/below:\n\n/c/below:\nlate\n")
            finally:
                os.waitpid(host, 0)
                checked(libc.umount2(below.encode(), 2))
                os.remove(place.data + "/started")
    finally:
        mount(None, "/", flags=tool.MS_REC | tool.MS_PRIVATE)


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


# ---- a peer that is slow, small, or watched ----------------------------------

def mapped_container(place):
    need_idmap(place)
    entries = [bind(place.data, "/%d" % i, "bind", "idmap", uids="0:%d:65536" % (i * 65536)) for i in (1, 2, 3)]
    return place.config("stat -c %u /1/file /2/file /3/file", entries), "65543\n131079\n196615\n"


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


# ---- what does not come up ---------------------------------------------------

def own_namespace(place):
    """refused in the parent's mount namespace"""
    start_containers()
    before = tool.mounts()
    text, _ = failing(place, place.config("echo started"), "mount namespace", preexec=None)
    contains(text, "parent")
    equal(tool.mounts(), before)


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


def refused_mount(place):
    """the parent's words reach the user"""
    config, _ = mapped_container(place)
    failing(place, config, "not today", "config.json: mounts[", parent=[*PEER_PARENT, "--fail-mount", "not today"])
    failing(place, config, "config.json: mounts[", parent=[*PEER_PARENT, "--fail-mount", ""])
    failing(place, config, "config.json: mounts[", parent=OUR_PARENT)


def refused_hooks(place):
    """the same for hooks"""
    start_containers()
    failing(place, place.config("echo started"), "procHooks: ", "no hook", parent=[*PEER_PARENT, "--fail-hooks", "no hook"])
    failing(place, place.config("echo started"), "procHooks: ", parent=[*PEER_PARENT, "--fail-hooks", ""])


def missing_program(place):
    """a program that is not there: after procRun, and still told to the parent"""
    start_containers()
    for name, cause in (("no-such-program", "No such file"), ("/etc", "Permission denied")):
        config = place.config()
        place.file("bundle/rootfs/etc/")
        config["process"]["args"] = [name]
        for parent in parents(place):
            _, told = failing(place, config, "config.json: process.args[0]", name, cause, parent=parent)
            contains(told, name, cause)


def late_failures(place):
    """what is found while mounting names mount, path, call and cause, on both sides"""
    need_idmap(place)
    place.file("bundle/rootfs/dir/")
    place.file("bundle/rootfs/file")
    number = len(place.config()["mounts"])
    for entry, parts in (
            (bind(place.path + "/none", "/x"), ("none", "openat2", "No such file")),
            (bind(place.path + "/none", "/x", "bind", "idmap", uids=MAP), ("none", "No such file")),
            (bind(place.data, "/file"), ("/file", "Not a directory")),
            (bind(place.data + "/file", "/dir"), ("/dir", "Not a directory")),
            (bind(place.data, "/missing/../x"), ("/missing/../x", "No such file")),
            (bind(place.data, "/dir/.."), ("/dir/..", "the root file system itself")),
            (bind(place.data, "/"), ("the root file system itself",)),
            (bind("/proc/self/root/etc", "/x"), ("/proc/self/root", "symbolic links")),
            (bind("/proc", "/x", "bind", "idmap", uids=MAP), ("/proc", "proc"))):
        _, told = failing(place, place.config("echo started", [entry]), "config.json: mounts[%d]: " % number, *parts)
        contains(told, "mounts[%d]" % number, *parts)


def bad_directory(place):
    """a working directory that cannot be made, is none, or leads outside"""
    start_containers()
    place.file("bundle/rootfs/file")
    left_open = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        # All that init itself could have open, too.
        for directory in ("/file/below", "/file", *("/proc/self/fd/%d" % fd for fd in range(3, max(left_open, 12) + 1))):
            config = place.config("echo started", [bind("/proc", "/proc", "rbind")])
            config["process"]["cwd"] = directory
            failing(place, config, "config.json: process.cwd", directory, child_fds=[left_open])
    finally:
        os.close(left_open)


def program_outside(place):
    """a program by way of a directory that whoever started init left open"""
    start_containers()
    left_open = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        config = place.config(entries=[bind("/proc", "/proc", "rbind")])
        config["process"]["args"] = ["/proc/self/fd/%d/bin/echo" % left_open, "outside"]
        failing(place, config, "config.json: process.args[0]", "No such file", child_fds=[left_open])
    finally:
        os.close(left_open)


def dead_parent(place):
    """a parent that is gone, or goes while init waits for it without limit"""
    start_containers()
    command = init(place, place.config("echo started"))
    child, _ = converse(command, ["true"])
    equal((child.code, child.out), (1, ""))
    contains(one_line(child.err), "procHooks")
    begin = time.monotonic()
    child, _ = converse(command, ["sh", "-c", "sleep 0.3; kill -9 $$"])
    equal((child.code, child.out), (1, ""))
    contains(one_line(child.err), "procHooks")
    ok(time.monotonic() - begin < 2, "not within a second")


TESTS = [plain_bind, relative_source, id_mapped, container_map, recursive, earlier_mount, earlier_mapped_mount, many_mounts,
         same_source_twice, attributes, read_only_root, process, identity, clean_process, symlinks, isolated, mounted_later,
         closed_streams, user_namespace, ordinary_user, delayed_descriptor, small_buffers, traced, trace, own_namespace,
         launched, launched_by_number, refused_mount, refused_hooks, missing_program, late_failures, bad_directory,
         program_outside, dead_parent]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
