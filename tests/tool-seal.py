# SPDX-License-Identifier: MIT
"""`syncdemo run` and `init` do not run from the host's file, but from a sealed copy: how that is made, when, and where it
cannot be. tool-seal-attacks.py has what a container tries. A copy of the tool plays the host's file. Prints TAP.
"""
import fcntl
import os
import re
import select
import struct
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from sealing import ALL_SEALS, DENY, F_ADD_SEALS, NO_OVERLAY, Host, began, best, kind, running, shell
from tool import Skip, contains, equal, ok, one_line

FSOPEN, STATMOUNT = 430, 457
PT_INTERP = 3
# 356 is that of a 32-bit tool, and nothing to one of 64 bits.
MEMFD_CREATE = {"x86_64": (319, 356), "i686": (356,), "aarch64": (279,)}.get(os.uname().machine, ())
# prctl(PR_SET_MM): the copy has to be executed then.
NO_REPLACEMENT = {"x86_64": "157/0=35:EPERM", "i686": "172/0=35:EPERM", "aarch64": "167/0=35:EPERM"}.get(os.uname().machine)


# ---- how it is sealed ------------------------------------------------------------

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


def interpreter(path):
    """The dynamic linker that an executable asks for (elf(5)), or None."""
    with open(path, "rb") as file:
        image = file.read()
    wide = image[4] == 2
    table, size, number = struct.unpack_from("32xQ14xHH" if wide else "28xI10xHH", image)
    for at in range(table, table + size * number, size):
        kind, offset, length = struct.unpack_from("I4xQ16xQ" if wide else "II8xI", image, at)
        if kind == PT_INTERP:
            return image[offset:offset + length - 1].decode()
    return None


def by_loader(place):
    """a tool that loads libraries, started as the argument of the dynamic linker, which is the executable then"""
    host = Host(place, dynamic=True)
    path = interpreter(host.program)
    if not path:
        raise Skip("the tool loads no libraries")
    config = place.write(shell(place, "echo started"))
    command = [path, "--library-path", host.environment["LD_LIBRARY_PATH"], host.program, "run", "--bundle", config]
    result = tool.finish(tool.start([*command, "test"], env=host.environment), 3 * tool.TIMEOUT)
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "/proc/self/exe: cannot be sealed: it is not syncdemo")
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


TESTS = [kinds, executed, by_loader, replaced, nothing_else, once, child_half, claims, deleted, noexec, ordinary_user, no_event]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
