# SPDX-License-Identifier: MIT
"""A process that is in the container's PID namespace before init is, and has the right to trace whatever is there
(CVE-2016-9962): init's descriptors and memory, which are still the runtime's, stay out of its reach. Prints TAP.
"""
import contextlib
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import need_container
from hooks import configuration, hook, start
from tool import OUR_INIT, PEER_PARENT, Skip, bind, equal, extents, ok

FIRST = 100000          # who root of a joined user namespace is outside
ATTACK_MS = 150 * tool.PATIENCE

# Takes descriptors of the next process that comes into its PID namespace, again and again; then the next. "caps": as root of the
# host's, but without any right.
ATTACKER = """
import ctypes, os, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD, NEWUSER, NEWPID = 438, 0x10000000, 0x20000000
user = sys.argv[1] == "user"
if libc.unshare(NEWPID | NEWUSER * user):
    sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
print("made", flush=True)
sys.stdin.readline()            # the maps are there
if user:
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
elif libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)):
    sys.exit("capset")
pid = os.fork()
if pid:
    print(pid, flush=True)
    os.waitpid(pid, 0)
    sys.exit()
libc.prctl(1, 9)                # PR_SET_PDEATHSIG, SIGKILL
number = os.getpid()
while True:
    pidfd = -1
    while pidfd < 0:
        for candidate in range(number + 1, number + 4):
            pidfd = libc.syscall(434, candidate, 0)
            if pidfd >= 0:
                break
    number, got, tries = candidate, [], 0
    end = time.monotonic() + %f
    while tries < 100 or time.monotonic() < end:
        tries += 1
        for fd in range(10):
            taken = libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
            if taken >= 0:
                os.close(taken)
                got.append(fd)
    os.close(pidfd)
    print(number, sorted(set(map(str, got))), flush=True)
""" % (ATTACK_MS / 1000)


@contextlib.contextmanager
def attacker(place, kind):
    """The number of the first process of its namespaces, and what it tells."""
    command = [sys.executable, place.file("attacker.py", ATTACKER), kind]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline() != "made\n":
            raise Skip("no namespaces for the attacker")
        for name in ("uid_map", "gid_map") if kind == "user" else ():
            with open("/proc/%d/%s" % (process.pid, name), "w", encoding="ascii") as file:
                file.write("0 %d 65536" % FIRST)
        process.stdin.write("\n")
        process.stdin.flush()
        yield int(process.stdout.readline()), process.stdout
    finally:
        process.kill()
        process.communicate()


def works(pid, victim, told):
    """The attack, on a process that does nothing against it."""
    process = subprocess.Popen(["nsenter", "--target", str(pid), *victim], stdin=subprocess.DEVNULL)
    line = told.readline()
    process.terminate()
    process.wait()
    ok("'0'" in line, "the attack does not work on others, either: " + line)
    return int(line.split()[0])


def attacked(place, pid, told, namespaces, **linux):
    """What the attacker got of an init that waits for a hook of the runtime."""
    go = os.path.join(place.path, "go")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(go)
    config = configuration(place, "true", createRuntime=[hook(place, "createRuntime", "until [ -e %s ]; do sleep 0.01; done" % go)])
    config["linux"].update(linux, namespaces=namespaces)
    config["mounts"] = [bind("/proc", "/proc", "rbind")]
    os.chmod(place.path, 0o755)
    os.chown(place.rootfs, FIRST, FIRST)
    process = start(place, config)
    line = told.readline()
    open(go, "w", encoding="ascii").close()
    result = tool.finish(process)
    equal((result.code, result.err), (0, ""))
    return line.split(None, 1)[1]


def joined(place):
    """in a user and a PID namespace that exist: root of them"""
    need_container()
    with attacker(place, "user") as (pid, told):
        works(pid, ["--user", "--pid", "sleep", "10"], told)
        for _ in range(8):
            got = attacked(place, pid, told, [{"type": "mount"}, {"type": "user", "path": "/proc/%d/ns/user" % pid},
                                              {"type": "pid", "path": "/proc/%d/ns/pid" % pid}])
            equal(got, "[]\n")


def new_user(place):
    """in a PID namespace that exists, in a user namespace of its own: root of the host, without any right"""
    need_container()
    maps = extents("0:%d:65536" % FIRST)
    with attacker(place, "caps") as (pid, told):
        works(pid, ["--pid", "unshare", "--user", "sleep", "10"], told)
        for _ in range(8):
            got = attacked(place, pid, told, [{"type": "mount"}, {"type": "user"}, {"type": "pid", "path": "/proc/%d/ns/pid" % pid}],
                           uidMappings=maps, gidMappings=maps)
            equal(got, "[]\n")


# By the host's numbers: /proc is still the host's. First who watches over the hook, then init.
LOOK = """
above() { while read -r key value; do [ "$key" != PPid: ] || at=$value; done </proc/$at/status; }
at=self
for one in 1 2; do above; ls /proc/$at/fd/ >>$LOG/fds 2>&1; done
ls /proc/self/fd/ >>$LOG/own
"""


def ordinary_hook(place):
    """as an ordinary user: a hook in the container's namespaces"""
    need_container()
    script = LOOK
    config = configuration(place, "true", "pid mount ipc uts user", createContainer=[hook(place, "createContainer", script)])
    config["linux"].update(uidMappings=extents("0:65533:1"), gidMappings=extents("0:65533:1"))
    place.write(config)
    program, environment = tool.copy_tool(place)
    os.chmod(place.path, 0o755)
    for path, _, _ in os.walk(place.bundle):
        os.chown(path, 65533, 65533)
    result = tool.finish(tool.start([program, "run", "--bundle", place.bundle, "test"], preexec_fn=tool.ordinary_user,
                                    env=environment))
    if "clone3: Operation not permitted" in result.err:
        raise Skip("no user namespaces here: " + tool.one_line(result.err))
    equal((result.code, result.err), (0, ""))
    with open(place.rootfs + "/log/fds", encoding="utf-8") as file:
        equal([line.rpartition(": ")[2] for line in file.read().splitlines()], ["Permission denied"] * 2)
    ok(os.path.getsize(place.rootfs + "/log/own") > 0, "the hook does not see its own descriptors, either")


@contextlib.contextmanager
def written(path, text):
    """A setting of the host's, for as long as it takes."""
    with open(path, encoding="ascii") as file:
        before = file.read()
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise Skip("%s: %s" % (path, error)) from error
    try:
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(before)


def changed_ids(place):
    """a hook with the rights of the program, where the kernel lets processes be traced that have changed their ids"""
    need_container()
    config = configuration(place, "true", "mount ipc uts", user=5, startContainer=[hook(place, "startContainer", LOOK)])
    with written("/proc/sys/fs/suid_dumpable", "1"):
        result = tool.finish(start(place, config))
    equal((result.code, result.err), (0, ""))
    with open(place.rootfs + "/log/fds", encoding="utf-8") as file:
        equal([line.rpartition(": ")[2] for line in file.read().splitlines()], ["Permission denied"] * 2)


def init_alone(place):
    """`syncdemo init`: before it reads anything of the container"""
    need_container()
    trace = os.path.join(place.path, "trace")
    config = configuration(place, "true", "mount")
    command = tool.strace("-o", trace, "-s", "256", "-e", "trace=prctl,open,openat")
    child, _ = tool.converse([*command, *OUR_INIT, "--bundle", place.write(config)], PEER_PARENT)
    equal(child.code, 0)
    with open(trace, encoding="utf-8", errors="replace") as file:
        text = file.read()
    hidden, read = re.search(r"prctl\(PR_SET_DUMPABLE, \S+\)\s+= 0", text), re.search(r"config\.json", text)
    ok(hidden and read and hidden.start() < read.start(), text)


TESTS = [joined, new_user, ordinary_hook, changed_ids, init_alone]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
