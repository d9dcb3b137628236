# SPDX-License-Identifier: MIT
"""SCMP_ACT_NOTIFY from end to end: the listener's way from the container's init to an agent, by number and as a descriptor,
with both of our halves and the ones in Python. tool-seccomp-stalled.py has those who are in the way. Prints TAP.
"""
import os
import re
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import agent
import container
import tap
import tool
from agent import Agent
from box import ordinary
from notified import DENSE, FORMS, MKDIR, configuration, deny, go_on, make_for_real, profile, run, serve, start
from seccomp import rule
from tool import contains, equal, need_root, ok, one_line

NEW = ["unshare", "--ipc", "--net", "--uts", "--cgroup"]         # without a fork: the parent is told the PID


def mkdir(place):
    """an agent makes a directory in place of the container, which sees its result and not the kernel's; both forms"""
    for options in FORMS:
        for process in ({}, {"noNewPrivileges": True}, {"user": {"uid": 1000, "gid": 1000}},
                        {"user": {"uid": 1000, "gid": 1000}, "noNewPrivileges": True}):
            made = os.path.join(place.rootfs, "tmp", "made")
            with Agent(place, make_for_real, "agent%d" % time.monotonic_ns()) as served:
                seccomp = profile(served.path, listenerMetadata="me/ta\" \u00e9")
                result = run(place, seccomp, MKDIR, options=options, **process)
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
        needed = rule("read write close execve exit_group arch_prctl set_tid_address set_robust_list rseq prlimit64 "
                      "mprotect brk readlinkat readlink getrandom newfstatat fstat ioctl rt_sigaction rt_sigprocmask",
                      "ALLOW")
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
    hook = {"path": "/bin/busybox", "args": ["true"]}
    for options in FORMS:
        for nnp, hooks in ((True, []), (False, []), (True, [hook])):
            with Agent(place, deny, "agent%d" % time.monotonic_ns()) as served:
                config = configuration(place, profile(served.path, rule(DENSE, "ERRNO")), MKDIR, noNewPrivileges=nnp)
                config["hooks"] = {"startContainer": hooks}
                config["linux"]["namespaces"] = [{"type": name} for name in "user pid mount ipc uts".split()]
                equal(ordinary(place, config, options=options), "mkdirat: Invalid cross-device link\n")


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


TESTS = [mkdir, denied, state, leaves, execution_notified, dense, only_these, alone, ordinary_user, halves, peer_parent,
         peer_child]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
