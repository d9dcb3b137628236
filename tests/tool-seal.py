# SPDX-License-Identifier: MIT
"""`syncdemo run` and `init` do not run from the host's file: what a container can reach of the runtime is a sealed copy, and
nothing that it can do there reaches the host. Each test has a copy of the tool that plays the host's file. Prints TAP.
"""
import contextlib
import fcntl
import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tool
from tool import Skip, contains, equal, extents, need_root, ok, one_line

HOSTILE = os.path.join(tool.BUILD, "tests", "support", "hostile")
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
PROC = {"destination": "/proc", "type": "proc", "source": "proc"}
FIRST = 100000
F_ADD_SEALS, F_GET_SEALS, ALL_SEALS = 1033, 1034, 15
FSOPEN, STATMOUNT = 430, 457
# 356 is that of a 32-bit tool, and nothing to one of 64 bits.
MEMFD_CREATE = {"x86_64": (319, 356), "i686": (356,), "aarch64": (279,)}.get(os.uname().machine, ())
# fsconfig(FSCONFIG_SET_FD), as below Linux 6.13; nothing else in the tool uses it.
NO_OVERLAY = "431/1=5:EINVAL"
# prctl(PR_SET_MM): the copy has to be executed then.
NO_REPLACEMENT = {"x86_64": "157/0=35:EPERM", "i686": "172/0=35:EPERM", "aarch64": "167/0=35:EPERM"}.get(os.uname().machine)

# Everything that a container's root may ever be given, but CAP_MKNOD, of which there is a warning, and no use here.
CAPABILITIES = ["CAP_" + name for name in (
    "SYS_ADMIN SYS_PTRACE DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID CHOWN KILL LINUX_IMMUTABLE SETUID SETGID SETFCAP "
    "SYS_RAWIO SYS_CHROOT").split()]

# Loaded by the dynamic linker into the runtime's own program, when an image has that executed.
PRELOADED = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void) {
        char exe[64], pid[16];
        int status = 0;

        unsetenv("LD_PRELOAD");
        snprintf(pid, sizeof(pid), "%d", getpid());
        snprintf(exe, sizeof(exe), "/proc/%d/exe", getpid());
        if (fork() == 0) {
                execl("/own/hostile", "hostile", exe, "/own/scratch", pid, (char *)0);
                _exit(127);
        }
        wait(&status);
        _exit(status >> 8);
}
"""


# ---- the host's file -------------------------------------------------------------

class Host:
    """A copy of the tool, and what it was before."""

    def __init__(self, place, dynamic=False):
        os.chmod(place.path, 0o755)
        self.program, self.environment = tool.copy_tool(place, dynamic)
        self.before = self.look()

    def look(self):
        """Contents, and the time of the last change of anything about the file but its times of reading."""
        st = os.stat(self.program)
        with open(self.program, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        return digest, st.st_ino, st.st_mode, st.st_uid, st.st_nlink, st.st_size, st.st_mtime_ns, st.st_ctime_ns

    def start(self, *args, denied=None, **kwargs):
        kwargs.setdefault("env", self.environment)
        command = [self.program, *args]
        if denied:
            command = [DENY, denied, "--", *command]
        return tool.start(command, **kwargs)

    def run(self, place, config, **kwargs):
        process = self.start("run", "--bundle", place.write(config), "test", **kwargs)
        return tool.finish(process, 3 * tool.TIMEOUT)

    def unchanged(self):
        equal(self.look(), self.before)


def configuration(place, *args, namespaces=("mount", "pid"), env=(), **changes):
    """A container with the host's programs, /own for the test's things, and all that root can do."""
    need_root("start containers")
    own = place.file("bundle/rootfs/own/")
    place.file("bundle/rootfs/own/scratch")
    place.file("bundle/rootfs/dev/null")        # for a shell that starts something in the background
    if os.path.exists(HOSTILE):
        tool.install(HOSTILE, own + "/hostile")
    place.file("bundle/rootfs/proc/")
    config = place.config(entries=[PROC], **changes)
    sets = dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES)
    config["process"].update(args=list(args), capabilities=sets)
    config["process"]["env"] += env
    config["linux"]["namespaces"] = [{"type": kind} for kind in namespaces]
    return config


def shell(place, script, **kwargs):
    return configuration(place, "/bin/sh", "-c", script, **kwargs)


def need_hostile():
    if not os.path.exists(HOSTILE):
        raise Skip("tests/support/hostile is not built: no static C library")


def wait_for(path, text):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = file.read()
            if text in found:
                return found
        time.sleep(0.01)
    raise AssertionError("no %r in %s" % (text, path))


# ---- how a process was sealed ----------------------------------------------------

def kind(pid):
    """ "overlay", "memfd" or, for what is not sealed, its path."""
    exe = "/proc/%d/exe" % pid
    link = os.readlink(exe)
    fd = os.open(exe, os.O_PATH)
    try:
        with open("/proc/self/fdinfo/%d" % fd, encoding="ascii") as file:
            number = [line.split()[1] for line in file if line.startswith("mnt_id")][0]
    finally:
        os.close(fd)
    if number in [line.split()[0] for line in tool.mounts(pid).splitlines()]:
        return link
    if link.startswith("/memfd:"):
        with open(exe, "rb") as file:
            return "memfd" if fcntl.fcntl(file, F_GET_SEALS) & ALL_SEALS == ALL_SEALS else link
    return "overlay" if link.count("/") == 1 else link


def running(host, place, **kwargs):
    """The kind of the parent's and of the child's executable, before that becomes the program."""
    place.file("bundle/rootfs/own/")
    config = shell(place, "echo ready; read x", namespaces=["mount"])
    config["mounts"].remove(PROC)
    process = host.start("run", "--bundle", place.write(config), "test", stdin=subprocess.PIPE, **kwargs)
    try:
        equal((process.stdout.readline(), process.poll()), ("ready\n", None))
        return kind(process.pid), held(process.pid, host.program)
    finally:
        process.stdin.close()
        process.stdin = None
        equal(tool.finish(process).code, 1)


def held(pid, path):
    """Descriptors, and mappings, of a process that are the file at @path or its directory."""
    wanted = [os.stat(name) for name in (path, os.path.dirname(path))]
    wanted = [(st.st_dev, st.st_ino) for st in wanted]
    found = []
    for where in ("fd", "map_files"):
        for name in os.listdir("/proc/%d/%s" % (pid, where)):
            with contextlib.suppress(FileNotFoundError):        # closed meanwhile
                st = os.stat("/proc/%d/%s/%s" % (pid, where, name))
                if (st.st_dev, st.st_ino) in wanted:
                    found.append((where, name))
    return found


def best():
    """The way of sealing where all is there: overlayfs takes layers by descriptor from Linux 6.15 on, and statmount(2) tells one."""
    return "overlay" if tool.feature("overlay_layer_fd") and tool.feature("statmount") else "memfd"


def began(path):
    """How often the traced tool went on from a copy: without an execution, and with one."""
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    return (len([line for line in lines if "prctl(PR_SET_MM, PR_SET_MM_MAP" in line and line.endswith(" = 0\n")]),
            len([line for line in lines if "execveat(" in line]))


def kinds(place):
    """a container's runtime is an overlay's file, or a memfd where that cannot be; it holds nothing of the host's file"""
    host = Host(place)
    equal(running(host, place), (best(), []))
    for denied in ("%d:ENOSYS" % FSOPEN, "%d:EPERM" % FSOPEN, NO_OVERLAY, "432:EPERM", "%d:ENOSYS" % STATMOUNT):
        equal(running(host, place, denied=denied), ("memfd", []))
    host.unchanged()


def executed(place):
    """where the kernel does not take the copy for the executable of a process that runs, it is executed"""
    if not NO_REPLACEMENT:
        raise Skip("the number of prctl(2) is not known here")
    for dynamic in (False, True):
        host = Host(place, dynamic)
        # Also where it is only said to be taken.
        for denied in (NO_REPLACEMENT, NO_REPLACEMENT.replace("EPERM", "ok")):
            equal(running(host, place, denied=denied), (best(), []))
            equal(running(host, place, denied=denied + "," + NO_OVERLAY), ("memfd", []))
        equal(running(host, place), (best(), []))
        host.unchanged()


def replaced(place):
    """root's tool goes on from the copy as it is, and all that it prints and does is the same"""
    host = Host(place)
    config = place.write(shell(place, "echo $0; exit 7"))
    for denied, expected in ((None, (1, 0)), (NO_REPLACEMENT, (0, 1))):
        trace = place.file("trace")
        command = [*tool.strace("-o", trace, "-e", "trace=execveat,prctl"), host.program, "run", "--bundle", config, "test"]
        if denied:
            command = [DENY, denied, "--", *command]
        equal(tool.finish(tool.start(command, env=host.environment), 3 * tool.TIMEOUT), (7, "/bin/sh\n", ""))
        equal(began(trace), expected)


def nothing_else(place):
    """where neither way is there, nothing is started, and one line says why"""
    host = Host(place)
    config = shell(place, "echo started")
    if not MEMFD_CREATE:
        raise Skip("the number of memfd_create(2) is not known here")
    for overlay, code, parts in (
            ("%d:ENOSYS" % FSOPEN, "EACCES", ["fsopen: Function not implemented", "vm.memfd_noexec"]),
            (NO_OVERLAY, "ENOMEM", ["fsconfig: Invalid argument", "memfd_create: Cannot allocate memory"])):
        denied = ",".join([overlay, *("%d:%s" % (number, code) for number in MEMFD_CREATE)])
        result = host.run(place, config, denied=denied)
        equal((result.code, result.out), (1, ""))
        contains(one_line(result.err), "cannot seal " + host.program, *parts)


def made(lines):
    """How many memfds; before Linux 6.3 the first attempt, with MFD_EXEC, is none."""
    return len(re.findall(r"memfd_create\(.*(?<!EINVAL \(Invalid argument\))$", lines, re.M))


def once(place):
    """what is sealed is not sealed again, whichever way"""
    host = Host(place)
    config = place.write(shell(place, "true"))
    for denied in (None, NO_OVERLAY, "%d:ENOSYS" % STATMOUNT):
        trace = place.file("trace")
        command = [*tool.strace("-o", trace, "-e", "trace=execveat,memfd_create,fsopen,prctl"), host.program, "run",
                   "--bundle", config, "test"]
        if denied:
            command = [DENY, denied, "--", *command]
        equal(tool.finish(tool.start(command, env=host.environment), 3 * tool.TIMEOUT), (0, "", ""))
        with open(trace, encoding="utf-8") as file:
            lines = file.read()
        equal(sum(began(trace)), 1)
        equal(lines.count("fsopen(\"overlay\""), 1)
        equal(made(lines), 1 if denied or best() == "memfd" else 0)


def child_half(place):
    """init by itself is sealed before it looks at anything else; the other commands need not be"""
    host = Host(place)
    for args, count in ((["init", "--sync-fd", "99", "--bundle", "/"], 1), (["parent", "--sync-fd", "99", "--pid", "1"], 0),
                        (["features"], 0), (["init"], 0)):
        trace = place.file("trace")
        command = [*tool.strace("-o", trace, "-e", "trace=execveat,prctl"), host.program, *args]
        tool.finish(tool.start(command, env=host.environment))
        equal(sum(began(trace)), count)


# ---- claims ----------------------------------------------------------------------

def memory(path, seals):
    fd = os.memfd_create("syncdemo", os.MFD_ALLOW_SEALING)
    with open(path, "rb") as file:
        os.write(fd, file.read())
    fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


def claims(place):
    """it goes by what the kernel says: no environment, argument, descriptor or look-alike makes it skip the sealing"""
    host = Host(place)
    words = {name: "1" for name in ("SYNCDEMO_SEALED", "INITSYNC_SEALED", "_LIBCONTAINER_CLONED_BINARY", "CLONED_BINARY")}
    equal(running(host, place, env=dict(host.environment, **words)), (best(), []))
    fds = [memory(host.program, seals) for seals in (0, ALL_SEALS - 1, ALL_SEALS - 8, ALL_SEALS)]
    equal(running(host, place, fds=fds), (best(), []))       # that others are there means nothing
    for fd in fds:
        # Started from memory, of which no overlay can be had. The last of them is as good as ours.
        trace = place.file("trace")
        config = place.write(shell(place, "true"))
        command = [*tool.strace("-o", trace, "-e", "trace=execveat,prctl"), "/proc/self/fd/%d" % fd, "run", "--bundle",
                   config, "test"]
        equal(tool.finish(tool.start(command, [fd], env=host.environment), 3 * tool.TIMEOUT), (0, "", ""))
        equal(sum(began(trace)), 0 if fd == fds[-1] else 1)
        os.close(fd)
    # A read-only overlay that has a place in the mount namespace, and could be changed there.
    for name in ("empty/", "over/"):
        place.file(name)
    lower = "lowerdir=%s:%s" % (os.path.dirname(host.program), place.path + "/empty")
    tool.mount("overlay", place.path + "/over", "overlay", 1 | 2 | 4, lower)
    over = Host.__new__(Host)
    over.program, over.environment = place.path + "/over/syncdemo", host.environment
    equal(running(over, place)[0], best())
    tool.checked(tool.libc.umount2((place.path + "/over").encode(), 2))
    host.unchanged()


# ---- attacks ---------------------------------------------------------------------

COPY_ONLY = {"mode", "owner", "times", "attribute", "immutable"}     # of memory that is a copy, such things may change
WRITING = {"read-write", "write-only", "open-truncate", "truncate", "held-open", "bind-remount", "open_tree", "link"}


def verdicts(text):
    """{way: cause of its failure, or "ok"}"""
    ok(text.endswith("done\n"), text)
    return dict(line.split(": ") for line in text.splitlines() if ": " in line)


def succeeded(text):
    return {way for way, verdict in verdicts(text).items() if verdict == "ok"} - {"(trace)"}


def each_way(place, attack, owner=0, dynamic=False):
    """Runs @attack for both ways of sealing; what it returns are the ways of the attacker that worked."""
    need_root("start containers")
    need_hostile()
    host = Host(place, dynamic)
    os.chown(host.program, owner, owner)
    host.before = host.look()
    found = attack(host, None)
    ok(not found or best() == "memfd" and found <= COPY_ONLY, found)
    host.unchanged()
    found = attack(host, NO_OVERLAY)
    ok(found <= COPY_ONLY, found)
    host.unchanged()


def preload(place):
    """The attacker as a library."""
    compiler = (os.environ.get("CC") or "cc").split()
    if not shutil.which(compiler[0]):
        raise Skip("no " + compiler[0])
    source = place.file("preloaded.c", PRELOADED)
    target = place.file("bundle/rootfs/own/") + "/preloaded.so"
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", target, source], check=True)


def from_image(place, program, **changes):
    """A container whose program is the runtime's own once more, with a library of the image in it."""
    own = place.file("bundle/rootfs/own/")
    preload(place)
    for name in os.listdir(place.path + "/bin"):
        if name.startswith("libinitsync"):
            tool.install(place.path + "/bin/" + name, own + "/" + name)
    env = ["LD_PRELOAD=/own/preloaded.so", "LD_LIBRARY_PATH=/own", "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"]
    return configuration(place, program, env=env, **changes)


def interpreter(place):
    """an image's program `#!/proc/self/exe` with a library of its own: writing, holding, remounting, tracing, stealing"""
    def attack(host, denied):
        os.chmod(place.file("bundle/rootfs/own/again", "#!/proc/self/exe\n"), 0o755)
        result = host.run(place, from_image(place, "/own/again"), denied=denied)
        equal((result.code, result.err), (0, ""))
        ok("(trace): ok" in result.out, result.out)
        return succeeded(result.out)
    each_way(place, attack, dynamic=True)


def link(place):
    """an image's program that is a link to /proc/self/exe, in a user namespace"""
    def attack(host, denied):
        config = from_image(place, "/own/link", namespaces=("mount", "pid", "user"))
        if not os.path.islink(place.rootfs + "/own/link"):
            os.symlink("/proc/self/exe", place.rootfs + "/own/link")
        config["linux"].update(uidMappings=extents("0:%d:65536" % FIRST), gidMappings=extents("0:%d:65536" % FIRST))
        for path, _, files in os.walk(place.rootfs):
            for name in [path, *(os.path.join(path, name) for name in files)]:
                os.lchown(name, FIRST, FIRST)
        result = host.run(place, config, denied=denied)
        equal((result.code, result.err), (0, ""))
        return succeeded(result.out)
    each_way(place, attack, FIRST, dynamic=True)        # who is root in there may do more to what is his


def neighbour(place):
    """a container without a PID namespace, which sees the runtime, and traces it"""
    def attack(host, denied):
        config = shell(place, "exec /own/hostile /proc/$PPID/exe /own/scratch $PPID", namespaces=["mount"])
        result = host.run(place, config, denied=denied)
        equal((result.code, result.err), (0, ""))
        ok("(trace): ok" in result.out, result.out)
        return succeeded(result.out)
    each_way(place, attack)


def survivor(place):
    """... and one process of it that held the runtime's executable open until that had ended, and was no longer busy"""
    def attack(host, denied):
        # Without a PID namespace a keeper ends what is left of a container: root of the host can kill that one first.
        script = ("exec 9</proc/$PPID/exe >/own/result 2>&1 </dev/null; keeper=$PPID; run=$(cut -d' ' -f4 /proc/$keeper/stat);"
                  "(sleep 0.2; [ $keeper -gt 1 ] && kill -9 $keeper; while kill -0 $run; do sleep 0.02; done 2>/dev/null;"
                  " exec /own/hostile /proc/self/fd/9 /own/scratch) & wait")
        equal(host.run(place, shell(place, script, namespaces=["mount"]), denied=denied), (128 + signal.SIGKILL, "", ""))
        return succeeded(wait_for(place.rootfs + "/own/result", "done\n"))
    each_way(place, attack)


def control(place):
    """the same attacks on a file that is not sealed do work"""
    need_hostile()
    config = shell(place, "cp /own/hostile /own/plain; exec /own/hostile /own/plain /own/scratch")
    found = succeeded(tool.run("run", "--bundle", place.write(config), "test").out)
    ok(found >= WRITING | COPY_ONLY, "of the attacks only these work on a plain file: %s" % found)


# ---- where the executable is, and who runs it ------------------------------------

def deleted(place):
    """an executable that was deleted before it was started"""
    host = Host(place)
    with open(host.program, "rb") as file:
        os.unlink(host.program)
        config = place.write(shell(place, "echo ready; read x", namespaces=["mount"]))
        process = tool.start(["/proc/self/fd/%d" % file.fileno(), "run", "--bundle", config, "test"], [file.fileno()],
                             stdin=subprocess.PIPE, env=host.environment)
    equal(process.stdout.readline(), "ready\n")
    equal(kind(process.pid), "memfd")
    process.stdin.close()
    process.stdin = None
    equal(tool.finish(process).code, 1)


def noexec(place):
    """vm.memfd_noexec, in a PID namespace where it is set"""
    if not os.path.exists("/proc/sys/vm/memfd_noexec"):
        raise Skip("no vm.memfd_noexec before Linux 6.3")
    tool.need_feature("memfd_exec", "6.3")
    host = Host(place)
    config = place.write(shell(place, "echo started"))
    command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", 'echo $0 >/proc/sys/vm/memfd_noexec && exec "$@"']
    own = [host.program, "run", "--bundle", config, "test"]
    for value in "12" if best() == "overlay" else "1":
        equal(tool.finish(tool.start([*command, value, *own], env=host.environment)), (0, "started\n", ""))
    denied = [DENY, NO_OVERLAY, "--"]
    equal(tool.finish(tool.start([*command, "1", *denied, *own], env=host.environment)), (0, "started\n", ""))
    result = tool.finish(tool.start([*command, "2", *denied, *own], env=host.environment))
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "fsconfig: ", "vm.memfd_noexec")


def ordinary_user(place):
    """an ordinary user: a memfd, in a user namespace of his own an overlay"""
    host = Host(place)
    for command, wanted in ((["env"], "memfd"), (["unshare", "--user", "--map-root-user", "--mount"], "overlay")):
        process = tool.start([*command, host.program, "init", "--sync-fd", "99", "--bundle", "/"], env=host.environment,
                             preexec_fn=tool.ordinary_user)
        if "unshare: " in tool.finish(process).err:
            raise Skip("no user namespaces here")
        trace = place.file("trace")
        os.chmod(trace, 0o666)
        traced = tool.strace("-o", trace, "-e", "trace=execveat,memfd_create,fsopen,prctl")
        process = tool.start([*traced, *command, host.program, "init", "--sync-fd", "99", "--bundle", "/"],
                             env=host.environment, preexec_fn=tool.ordinary_user)
        contains(one_line(tool.finish(process).err), "--sync-fd 99")
        with open(trace, encoding="utf-8") as file:
            lines = file.read()
        equal(sum(began(trace)), 1)
        equal("memfd_create(" in lines, wanted == "memfd" or best() == "memfd")
        equal('fsopen("overlay"' in lines, wanted == "overlay")
    if tool.ROOT:
        host.unchanged()


def no_event(place):
    """a hundred containers start, and who watches the host's mount table sees nothing of it"""
    host = Host(place)
    config = place.write(shell(place, "true"))
    with open("/proc/self/mountinfo", "rb", buffering=0) as table:
        while table.read(65536):
            pass
        watch = select.poll()
        watch.register(table, select.POLLPRI)
        watch.poll(0)
        for _ in range(10):
            processes = [host.start("run", "--bundle", config, "test") for _ in range(10)]
            for process in processes:
                equal(tool.finish(process, 6 * tool.TIMEOUT), (0, "", ""))
            equal(watch.poll(0), [])
        tool.mount("tmpfs", place.file("control/"), "tmpfs")
        ok(watch.poll(0), "a mount raises no event either")
        tool.checked(tool.libc.umount2((place.path + "/control").encode(), 2))


TESTS = [kinds, executed, replaced, nothing_else, once, child_half, claims, control, interpreter, link, neighbour, survivor,
         deleted, noexec, ordinary_user, no_event]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
