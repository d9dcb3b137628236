# SPDX-License-Identifier: MIT
"""SCMP_ACT_NOTIFY from end to end: the listener's way from the container's init to an agent, by number and as a descriptor,
with both of our halves and the ones in Python; and agents, children and profiles that are in the way. Prints TAP.
"""
import contextlib
import errno
import os
import re
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import agent
import container
import tool
from agent import Agent
from tool import Skip, contains, equal, extents, need_root, ok, one_line

CALLS = os.path.join(tool.BUILD, "tests", "support", "calls")
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
FORMS = ((), ("--seccomp-fd",))
PIDFD_GETFD = 438               # on every architecture but alpha
DENSE = "sendto sendmsg recvfrom recvmsg poll ppoll fcntl futex openat"
NEW = ["unshare", "--ipc", "--net", "--uts", "--cgroup"]         # without a fork: the parent is told the PID


# ---- bundles ---------------------------------------------------------------------

def rule(names, action, **more):
    return {"names": names.split(), "action": "SCMP_ACT_" + action, **more}


def profile(path, *rules, default="ALLOW", notify="mkdirat", **more):
    return {"defaultAction": "SCMP_ACT_" + default, "syscalls": [rule(notify, "NOTIFY"), *rules], "listenerPath": path, **more}


def configuration(place, seccomp, *calls, **process):
    if not os.path.exists(CALLS):
        raise Skip("tests/support/calls is not built")
    config = container.configure(place, "", [container.PROC])
    tool.install(CALLS, os.path.join(place.rootfs, "bin", "calls"))
    place.file("bundle/rootfs/tmp/")
    config["process"].update(process, args=["/bin/calls", *calls])
    config["linux"]["seccomp"] = seccomp
    config["annotations"] = {"key": "va/lue \"\\"}
    return config


def start(place, seccomp, *calls, options=(), command=(), **process):
    need_root("start containers")
    bundle = place.write(configuration(place, seccomp, *calls, **process))
    return tool.start([*command, tool.TOOL, "run", "--bundle", bundle, *options, "the-id"])


def run(place, seccomp, *calls, **kwargs):
    return tool.finish(start(place, seccomp, *calls, **kwargs))


def fails(place, seccomp, *parts, code=1, **kwargs):
    """A container that must not come up, and how long that took."""
    begin = time.monotonic()
    result = run(place, seccomp, "getppid", **kwargs)
    equal((result.code, result.out), (code, ""))
    contains(one_line(result.err), *parts)
    return time.monotonic() - begin


# ---- agents ----------------------------------------------------------------------------

def make_for_real(served, call):
    """Makes another directory than the one that was asked for, where the container will find it."""
    path = call.text(call.args[1])
    os.mkdir("/proc/%d/root%s-by-agent" % (call.pid, path))
    return 42, 0, 0


def go_on(served, call):
    return 0, 0, agent.CONTINUE


def deny(served, call):
    return 0, errno.EXDEV, 0


MKDIR = "mkdirat:-100,/tmp/made,0755"


def mkdir(place):
    """an agent makes a directory in place of the container, which sees its result and not the kernel's; both forms"""
    for options in FORMS:
        for process in ({}, {"noNewPrivileges": True}, {"user": {"uid": 1000, "gid": 1000}},
                        {"user": {"uid": 1000, "gid": 1000}, "noNewPrivileges": True}):
            made = os.path.join(place.rootfs, "tmp", "made")
            with Agent(place, make_for_real, "agent%d" % time.monotonic_ns()) as served:
                result = run(place, profile(served.path, listenerMetadata="me/ta\" \u00e9"), MKDIR, options=options, **process)
            equal(result, (0, "mkdirat: 42\n", ""))
            ok(os.path.isdir(made + "-by-agent") and not os.path.exists(made), "not the agent's work")
            os.rmdir(made + "-by-agent")
            equal((len(served.calls), len(served.fds)), (1, 1))


def denied(place):
    """an agent that refuses, and one that has the kernel go on"""
    with Agent(place, deny) as served:
        equal(run(place, profile(served.path), MKDIR), (0, "mkdirat: Invalid cross-device link\n", ""))
    with Agent(place, go_on, "agent2") as served:
        equal(run(place, profile(served.path), MKDIR), (0, "mkdirat: 0\n", ""))
    ok(os.path.isdir(os.path.join(place.rootfs, "tmp", "made")), "not made")


def state(place):
    """what the agent is told: ContainerProcessState, and one descriptor with its first part"""
    for metadata in ({}, {"listenerMetadata": "me/ta \"\\ \u00e9"}, {"listenerMetadata": "x" * 1000000}):
        with Agent(place, go_on, "agent%d" % time.monotonic_ns()) as served:
            process = start(place, profile(served.path, **metadata), MKDIR)
            equal(tool.finish(process).code, 0)
        os.rmdir(os.path.join(place.rootfs, "tmp", "made"))
        told = served.state
        ok(re.fullmatch(r"1\.\d+\.\d+", told["ociVersion"]), told["ociVersion"])
        pid = told["pid"]
        equal(served.calls[0].pid, pid)         # as the runtime sees it, which is where the agent is
        state = {"ociVersion": told["ociVersion"], "id": "the-id", "status": "creating", "pid": pid, "bundle": place.bundle,
                 "annotations": {"key": "va/lue \"\\"}}
        wanted = {"ociVersion": told["ociVersion"], "fds": ["seccompFd"], "pid": pid, "state": state}
        if metadata:
            wanted["metadata"] = metadata["listenerMetadata"]
        equal(told, wanted)
        equal(len(served.fds), 1)


class Leaving(Agent):
    def serve(self, listener):
        os.close(self.fds.pop())


def leaves(place):
    """an agent that ends: nobody else holds the listener, so that the container gets an error and does not wait for ever"""
    for options in FORMS:
        with Leaving(place, None, "agent%d" % time.monotonic_ns()) as served:
            equal(run(place, profile(served.path), MKDIR, options=options), (0, "mkdirat: Function not implemented\n", ""))


def execution_notified(place):
    """the agent decides the execution of the program, too"""
    with Agent(place, go_on) as served:
        equal(run(place, profile(served.path, notify="execve"), "getppid"), (0, "getppid: 0\n", ""))
    equal(len(served.calls), 1)
    with Agent(place, deny, "agent2") as served:
        result = run(place, profile(served.path, notify="execve"), "getppid")
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "process.args[0]: /bin/calls: execve: Invalid cross-device link")


def dense(place):
    """a profile that denies nearly all that init could want; and one that notifies of it"""
    for options in FORMS:
        for action in ("ERRNO", "KILL_PROCESS", "NOTIFY"):
            for process in ({}, {"noNewPrivileges": True}):
                with Agent(place, make_for_real, "agent%d" % time.monotonic_ns()) as served:
                    result = run(place, profile(served.path, rule(DENSE, action)), MKDIR, options=options, **process)
                equal((options, action, result), (options, action, (0, "mkdirat: 42\n", "")))
                os.rmdir(os.path.join(place.rootfs, "tmp", "made-by-agent"))
        # All but what the program itself needs.
        needed = rule("read write close execve exit_group arch_prctl set_tid_address set_robust_list rseq prlimit64 mprotect brk "
                      "readlinkat readlink getrandom newfstatat fstat ioctl rt_sigaction rt_sigprocmask", "ALLOW")
        with Agent(place, make_for_real, "agent%d" % time.monotonic_ns()) as served:
            result = run(place, profile(served.path, needed, default="KILL_PROCESS"), MKDIR, options=options)
        equal(result, (0, "mkdirat: 42\n", ""))
        os.rmdir(os.path.join(place.rootfs, "tmp", "made-by-agent"))


def only_these(place):
    """strace: from the load on one write, one read and the execution"""
    log = place.file("log")
    for options in FORMS:
        for flags, wanted in (([], "SECCOMP_FILTER_FLAG_NEW_LISTENER"),
                              (["TSYNC"], "SECCOMP_FILTER_FLAG_NEW_LISTENER"),
                              (["WAIT_KILLABLE_RECV"], r"SECCOMP_FILTER_FLAG_NEW_LISTENER\|"
                                                       "(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV|0x20)")):
            with Agent(place, go_on, "agent%d" % time.monotonic_ns()) as served:
                seccomp = profile(served.path, flags=["SECCOMP_FILTER_FLAG_" + name for name in flags])
                result = run(place, seccomp, MKDIR, options=options, command=tool.strace("-qq", "-o", log))
            equal(result, (0, "mkdirat: 0\n", ""))
            os.rmdir(os.path.join(place.rootfs, "tmp", "made"))
            with open(log, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
            loads = [n for n, line in enumerate(lines) if re.search(r" seccomp\(SECCOMP_SET_MODE_FILTER, [^,]*, \{", line)]
            equal(len(loads), 1)
            pid, load = lines[loads[0]].split(None, 1)
            ok(re.match(r"seccomp\(SECCOMP_SET_MODE_FILTER, %s, " % wanted, load), load)
            rest = [line.split(None, 1)[1] for line in lines[loads[0] + 1:] if line.split()[0] == pid]
            names = [re.match(r"\w+", call).group() for call in rest if re.match(r"\w+\(", call)]
            # A traced process is interrupted by the end of a child that it does not even have to reap.
            names = [name for n, name in enumerate(names) if n == 0 or name != "read" or names[n - 1] != "read"]
            equal(names[:4 if options else 3], ["write", *(["write"] if options else []), "read", "execve"])


def alone(place):
    """no process of ours is left in the container, nor a descriptor, nor how signals are handled"""
    for options in FORMS:
        seen = {}
        for name in ("agent", None):
            with Agent(place, go_on, "agent%d" % time.monotonic_ns()) as served:
                config = configuration(place, profile(served.path) if name else None)
                tool.install(container.PROBE, os.path.join(place.rootfs, "bin", "probe"))
                config["process"]["args"] = ["/bin/sh", "-c", "echo /proc/[0-9]*; exec probe descriptors signals"]
                result = tool.run("run", "--bundle", place.write(config), *options, "test") if tool.ROOT else None
                need_root("start containers")
            equal((result.code, result.err), (0, ""))
            seen[name] = re.sub(r"(pipe|socket):\[\d+\]", r"\1", result.out)
        equal(seen["agent"], seen[None])
        ok(seen[None].startswith("/proc/1\n"), seen[None])


def ordinary_user(place):
    """as an ordinary user, both forms; also behind a hook of the image, for which init is not to be traced"""
    uid, gid = (65533, 65533) if tool.ROOT else (os.getuid(), os.getgid())
    hook = {"path": "/bin/busybox", "args": ["true"]}
    for options in FORMS:
        for nnp, hooks in ((True, []), (False, []), (True, [hook])):
            with Agent(place, deny, "agent%d" % time.monotonic_ns()) as served:
                config = configuration(place, profile(served.path, rule(DENSE, "ERRNO")), MKDIR, noNewPrivileges=nnp)
                config["hooks"] = {"startContainer": hooks}
                config["linux"]["namespaces"] = [{"type": name} for name in "user pid mount ipc uts".split()]
                config["linux"].update(uidMappings=extents("0:%d:1" % uid), gidMappings=extents("0:%d:1" % gid))
                place.write(config)
                program, environment = tool.copy_tool(place)
                os.chmod(place.path, 0o755)
                for path, _, _ in os.walk(place.bundle):
                    os.chown(path, uid, gid)
                result = tool.finish(tool.start([program, "run", "--bundle", place.bundle, *options, "test"],
                                                preexec_fn=tool.ordinary_user, env=environment))
            if "clone3: Operation not permitted" in result.err:
                raise Skip("no user namespaces here: " + one_line(result.err))
            equal(result, (0, "mkdirat: Invalid cross-device link\n", ""))


# ---- the two halves alone ------------------------------------------------------------------

def halves(place):
    """`parent` and `init` on their own, both forms; one that was not told of the form is told so by the other"""
    container.need_container()
    for child_form in FORMS:
        for parent_form in FORMS:
            with Agent(place, make_for_real, "agent%d" % time.monotonic_ns()) as served:
                place.write(configuration(place, profile(served.path, rule(DENSE, "ERRNO")), MKDIR))
                child, parent = tool.converse(
                    [*NEW, *tool.OUR_INIT, "--bundle", place.bundle, *child_form],
                    [*tool.OUR_PARENT, "--bundle", place.bundle, *parent_form])
            if child_form == parent_form:
                equal((child, parent), ((0, "mkdirat: 42\n", ""), (0, "", "")))
                equal(served.state["state"]["id"], "bundle")
                os.rmdir(os.path.join(place.rootfs, "tmp", "made-by-agent"))
            else:
                equal((child.out, parent.code), ("", 1))
                ok(child.code != 0, "the child goes on")
                contains(one_line(parent.err), "procSeccomp")


def peer_parent(place):
    """our init with the parent in Python, which takes no listener: the message alone"""
    container.need_container()
    place.write(configuration(place, profile("/none"), "sched_yield"))
    log = place.file("log")
    child, parent = tool.converse([*NEW, *tool.OUR_INIT, "--bundle", place.bundle],
                                  [*tool.PEER_PARENT, "--log", log])
    equal((child, parent), ((0, "sched_yield: 0\n", ""), (0, "", "")))
    with open(log, encoding="utf-8") as file:
        contains(file.read(), "procSeccomp", "procSeccompDone")


def serve(place, seccomp, script, *options, fds=()):
    """The child in Python plays the script for our parent."""
    config = place.config("true")
    config["linux"]["seccomp"] = seccomp
    place.write(config)
    preexec = tool.unshare if tool.ROOT else None
    return tool.converse([*tool.PEER_CHILD, "--script", place.file("script", "\n".join(script) + "\n")],
                         [*tool.OUR_PARENT, "--bundle", place.bundle, *options], child_fds=fds, preexec=preexec)


def peer_child(place):
    """our parent with the child in Python, by number"""
    fd = agent.listener()
    try:
        with Agent(place, go_on) as served:
            child, parent = serve(place, profile(served.path), ["hooks", "ready", "seccomp %d" % fd, "exec true"], fds=[fd])
        equal((child, parent), ((0, "", ""), (0, "", "")))
        equal(len(served.fds), 1)
    finally:
        os.close(fd)


def no_listener(place):
    """a child that gives anything but a listener, or gives one that nobody asked for: the agent is not disturbed"""
    fifo = place.file("fifo")
    os.unlink(fifo)
    os.mkfifo(fifo)
    gifts = [os.open(fifo, os.O_RDWR), os.memfd_create("seccomp notify"), os.open("/dev/null", os.O_RDWR)]
    try:
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(os.path.join(place.path, "agent"))
            nobody.listen()
            for gift in gifts:
                child, parent = serve(place, profile(nobody.getsockname()), ["ready", "seccomp %d" % gift, "exec true"], fds=[gift])
                equal((parent.code, parent.out), (1, ""))
                contains(one_line(parent.err), "procSeccomp: expected a seccomp listener as its descriptor")
                ok(child.code != 0, "the child goes on")
            child, parent = serve(place, profile(nobody.getsockname()), ["ready", "seccomp 999", "exec true"])
            equal((parent.code, parent.out), (1, ""))
            contains(one_line(parent.err), "procSeccomp: pidfd_getfd: Bad file descriptor")
            nobody.setblocking(False)
            try:
                nobody.accept()
                ok(False, "the agent was connected to")
            except BlockingIOError:
                pass
        fd = agent.listener()
        gifts.append(fd)
        for seccomp in (None, {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": nobody}):
            if seccomp:
                seccomp["listenerPath"] = "/x"
            child, parent = serve(place, seccomp, ["ready", "seccomp %d" % fd, "exec true"], fds=[fd])
            equal((parent.code, parent.out), (1, ""))
            contains(one_line(parent.err), "procSeccomp: no listener is configured")
    finally:
        for fd in gifts:
            os.close(fd)


def hung_file(place):
    """a child whose listener is a file of a server that never answers: nobody hangs, and the child is dead"""
    need_root("mount a FUSE file system")
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    directory = place.file("hung/")
    server = tool.start([*tool.peer("hung_fuse.py"), directory])
    try:
        equal(server.stdout.readline(), "ready\n")
        fd = os.open(directory, os.O_PATH)      # any other open() would hang here
        begin = time.monotonic()
        child, parent = serve(place, profile("/none"), ["ready", "seccomp %d" % fd, "exec true"], fds=[fd])
        os.close(fd)
        ok(time.monotonic() - begin < 5, "too slow")
        equal((parent.code, parent.out), (1, ""))
        contains(one_line(parent.err), "procSeccomp: ")
        ok(child.code != 0, "the child goes on")
    finally:
        server.kill()
        server.communicate()
        tool.libc.umount2(directory.encode(), 2)


# ---- agents that are in the way --------------------------------------------------------------

@contextlib.contextmanager
def nobody_accepts(place):
    """A socket whose queue is full."""
    path = os.path.join(place.path, "full")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.ExitStack() as stack:
        listening.bind(path)
        listening.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(path)
            except BlockingIOError:
                break
        else:
            ok(False, "the queue is never full")
        yield path


def no_agent(place):
    """no agent, none that listens, no socket, one of another kind"""
    seccomp = profile(os.path.join(place.path, "none"))
    fails(place, seccomp, "config.json: linux.seccomp.listenerPath: %s/none: connect: No such file" % place.path)
    fails(place, profile(place.file("file")), "/file: connect: Connection refused")
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(os.path.join(place.path, "closed"))
    fails(place, profile(os.path.join(place.path, "closed")), "/closed: connect: Connection refused")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(os.path.join(place.path, "datagrams"))
        fails(place, profile(datagrams.getsockname()), "/datagrams: connect: Protocol wrong type for socket")


def stalled(place, path, *parts, **more):
    """The parent alone with a deadline of a second, and another child that goes on meanwhile."""
    fd = agent.listener()
    try:
        begin = time.monotonic()
        child, parent = serve(place, profile(path, **more), ["ready", "seccomp %d" % fd, "exec true"], "--timeout", "1", fds=[fd])
        took = time.monotonic() - begin
    finally:
        os.close(fd)
    equal((parent.code, parent.out), (1, ""))
    contains(one_line(parent.err), "config.json: linux.seccomp.listenerPath: %s: " % path, *parts)
    contains(child.err, "the agent ")
    ok(1 <= took < 4, "took %.1f s" % took)


def never_accepts(place):
    """an agent that never accepts: the deadline"""
    with nobody_accepts(place) as path:
        stalled(place, path, "connect: the agent does not accept connections")


def never_reads(place):
    """an agent that accepts and never reads: the deadline"""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.join(place.path, "lazy"))
        listening.listen()
        stalled(place, listening.getsockname(), "sendmsg: the agent does not read what it is sent", listenerMetadata="x" * 3000000)


class Closing(Agent):
    def run(self):
        with contextlib.suppress(OSError):
            connection, _ = self.listening.accept()
            with connection:
                connection.recv(1)


def closes_at_once(place):
    """an agent that closes with most of it unread: the container does not start"""
    with Closing(place, None) as served:
        fails(place, profile(served.path, listenerMetadata="x" * 3000000), "linux.seccomp.listenerPath: ", "/agent: sendmsg: ")


def interrupted(place):
    """while an agent stalls, a signal ends `run` at once, and so does the death of the container"""
    with nobody_accepts(place) as path:
        for which in ("run", "container"):
            process = start(place, profile(path), "getppid", options=["--trace"])
            for line in process.stderr:
                if "procSeccomp" in line:
                    break
            time.sleep(0.1)             # it has begun to wait
            begin = time.monotonic()
            if which == "run":
                process.send_signal(signal.SIGTERM)
            else:
                with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as file:
                    children = [int(word) for word in file.read().split()]
                for pid in children:
                    with open("/proc/%d/status" % pid, encoding="ascii") as file:
                        if "Seccomp:\t2" in file.read():
                            os.kill(pid, signal.SIGKILL)
            result = tool.finish(process)
            equal((which, result.code), (which, 128 + signal.SIGTERM if which == "run" else 1))
            ok(time.monotonic() - begin < 3, "%s: %.1f s" % (which, time.monotonic() - begin))


def getfd_denied(place):
    """where pidfd_getfd is refused: the error says what to do, and that works"""
    need_root("start containers")
    with Agent(place, make_for_real) as served:
        for error in ("EPERM", "ENOSYS"):
            fails(place, profile(served.path), "pidfd_getfd", "the form that sends the descriptor does not",
                  command=[DENY, "%d:%s" % (PIDFD_GETFD, error), "--"])
        result = run(place, profile(served.path), MKDIR, options=["--seccomp-fd"], command=[DENY, "%d:EPERM" % PIDFD_GETFD, "--"])
    equal(result, (0, "mkdirat: 42\n", ""))


TESTS = [mkdir, denied, state, leaves, execution_notified, dense, only_these, alone, ordinary_user, halves, peer_parent, peer_child, no_listener,
         hung_file, no_agent, never_accepts, never_reads, closes_at_once, interrupted, getfd_denied]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
