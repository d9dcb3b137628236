# SPDX-License-Identifier: MIT
"""`linux.seccomp`: how the filter is loaded, with which flags, and what init may do and say under it. Prints TAP."""
import os
import re
import struct
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import agent
import container
import tap
import terminal
import tool
from seccomp import CAPS, DENY, configuration, profile, rule, run
from tool import Skip, contains, equal, need_root, ok, one_line


def traced(place, seccomp, *args, options=(), **process):
    """What `run` and all its children called, a line each."""
    log = place.file("log")
    trace = tool.strace("-qq", "-o", log, "-s", "4096")
    result = run(place, seccomp, *args, command=trace, options=options, **process)
    equal((result.code, result.err), (0, ""))
    with open(log, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def after_load(lines):
    """What the process that loads the filter calls from there to its execution, and the flags of the load."""
    loads = [number for number, line in enumerate(lines) if re.search(r" seccomp\(SECCOMP_SET_MODE_FILTER, [^,]*, \{", line)]
    equal(len(loads), 1)
    load = lines[loads[0]]
    pid = load.split()[0]
    calls = [line.split(None, 1)[1] for line in lines[loads[0] + 1:] if line.split()[0] == pid]
    names = [re.match(r"(\w+)\(", call).group(1) for call in calls if re.match(r"\w+\(", call)]
    # Up to the one that does not return.
    made = [call for call in calls if re.match(r"\w+\(", call)]
    end = next(number for number, call in enumerate(made) if re.match(r"execve\(.*(= 0$|unfinished)", call))
    return names[:end + 1], re.search(r"FILTER, ([^,]*), ", load).group(1)


def nothing_after(place):
    """between the load of the filter and the execution of the program nothing else is called, whoever is to be"""
    for process in ({}, {"noNewPrivileges": True},
                    {"user": {"uid": 1000, "gid": 1000}, "capabilities": {"bounding": CAPS[:1]}}):
        calls, flags = after_load(traced(place, profile("ALLOW", rule("sched_yield", "ERRNO")), "/bin/calls", **process))
        equal((calls, flags), (["execve"], "SECCOMP_FILTER_FLAG_SPEC_ALLOW"))
    # A program that is looked for in two directories.
    calls, _ = after_load(traced(place, profile("ALLOW"), "calls", env=["PATH=/none:/bin"]))
    equal(calls, ["execve", "execve"])


def flags(place):
    """flags reach the kernel as they are written; none but an empty list of them are none"""
    equal(after_load(traced(place, profile("ALLOW", flags=[]), "/bin/calls"))[1], "0")
    equal(after_load(traced(place, profile("ALLOW", flags=None), "/bin/calls"))[1], "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
    for names, wanted in (("LOG", "SECCOMP_FILTER_FLAG_LOG"), ("SPEC_ALLOW", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"),
                          ("TSYNC", "0"),                       # there is one thread
                          ("LOG TSYNC SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG|SECCOMP_FILTER_FLAG_SPEC_ALLOW"),
                          ("WAIT_KILLABLE_RECV", "0")):         # which the kernel takes with a listener only
        seccomp = profile("ALLOW", flags=["SECCOMP_FILTER_FLAG_" + name for name in names.split()])
        equal(after_load(traced(place, seccomp, "/bin/calls")), (["execve"], wanted))


def tiny(path):
    """A program of two instructions that exits with 7."""
    code, machine = {"x86_64": (bytes.fromhex("bf07000000" "b8e7000000" "0f05"), 62),
                     "aarch64": (bytes.fromhex("e00080d2" "c80b80d2" "010000d4"), 183)}.get(os.uname().machine, (None, 0))
    if not code:
        raise Skip("no code for this machine")
    start = 0x400000
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, start + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, 120 + len(code), 120 + len(code), 4096)
    with open(path, "wb") as file:
        file.write(header + segment + code)
    os.chmod(path, 0o755)


def bare(place):
    """a profile that kills for all but write, read, close, execve and the program's own exit"""
    for process in ({}, {"noNewPrivileges": True}):
        for names in ("write read close execve exit_group", "execve exit_group"):
            configuration(place, None)
            tiny(os.path.join(place.rootfs, "bin", "tiny"))
            result = run(place, profile("KILL_PROCESS", rule(names, "ALLOW")), "/bin/tiny", **process)
            equal(result, (7, "", ""))


def load_refused(place):
    """a kernel that takes no filter: why not"""
    for error, words in (("EACCES", "without process.noNewPrivileges, loading a filter needs CAP_SYS_ADMIN"),
                         ("EBUSY", "a filter with a listener is loaded already"),
                         ("EINVAL", "this kernel lacks one of its flags or actions"),
                         ("ENOSYS", "Function not implemented")):
        result = run(place, profile("ALLOW", rule("sched_yield", "ERRNO")), "/bin/calls",
                     command=[DENY, "%d:%s" % (agent.SYS_SECCOMP, error), "--"])
        equal((result.code, result.out), (1, ""))
        contains(one_line(result.err), "config.json: linux.seccomp: seccomp: ", words)


# ---- what init leaves and says under a filter ----------------------------------------------

def execution_denied(place):
    """a program that cannot be executed is told of through the filter, as far as that lets it"""
    for seccomp in (profile("ALLOW"), profile("ALLOW", rule("sendto sendmsg", "ERRNO")),
                    profile("ALLOW", rule("sendto sendmsg poll ppoll shutdown munmap", "KILL_PROCESS"))):
        result = run(place, seccomp, "/bin/none")
        equal((result.code, result.out), (1, ""))
        contains(one_line(result.err), "config.json: process.args[0]: /bin/none: execve: No such file or directory")
    result = run(place, profile("ALLOW", rule("execve", "ERRNO", errnoRet=5)), "/bin/calls")
    contains(one_line(result.err), "process.args[0]: /bin/calls: execve: Input/output error")


BESIDE = "trap 'exit 7' TERM; sleep 0.2; echo /proc/[0-9]*; while :; do sleep 0.05; done"


def nobody_beside(place):
    """--seccomp-fd where there is no listener to send: soon nobody is beside the program, and its signals reach it"""
    need_root("start containers")
    bundle = place.write(configuration(place, profile("ALLOW", rule("sched_yield", "ERRNO")), "/bin/sh", "-c", BESIDE))
    process = tool.start([tool.TOOL, "run", "--bundle", bundle, "--seccomp-fd", "test"])
    shown = process.stdout.readline()
    process.terminate()
    equal((process.wait(tool.TIMEOUT), process.stderr.read(), shown), (7, "", "/proc/1\n"))
    # The parent alone ends with the execution of the program. Without a fork: a launcher would have the socket, too.
    config = configuration(place, profile("ALLOW", rule("sched_yield", "ERRNO")), "/bin/sh", "-c",
                           "sleep %d" % tool.PATIENCE)
    config["mounts"] = []
    with tool.pair() as (ours, theirs):
        child = tool.start(["unshare", "--ipc", "--net", "--uts", *tool.OUR_INIT[:-1], str(theirs.fileno()), "--seccomp-fd",
                            "--bundle", place.write(config)], [theirs.fileno()], preexec_fn=tool.unshare)
        parent = tool.start([part.format(fd=ours.fileno(), pid=child.pid) for part in tool.OUR_PARENT] +
                            ["--seccomp-fd", "--bundle", place.bundle], [ours.fileno()])
    equal(tool.finish(parent), (0, "", ""))
    ok(child.poll() is None, "the conversation lasted as long as the program")
    equal(tool.finish(child), (0, "", ""))


def told_from_a_terminal(place):
    """a program that cannot be executed on a terminal is told of, whatever init may do no more"""
    need_root("start containers")
    for action in ("ERRNO", "KILL_PROCESS"):
        config = configuration(place, profile("ALLOW", rule("dup2 dup3 fcntl ioctl", action)), "/none")
        config["mounts"] += [container.DEV, container.PTS]
        config["process"]["terminal"] = True
        with terminal.terminal() as here:
            process = here.start([tool.TOOL, "run", "--bundle", place.write(config), "test"], stderr=subprocess.PIPE,
                                 text=True)
            said = process.communicate(timeout=tool.TIMEOUT)[1]
        equal(process.returncode, 1)
        contains(one_line(said), "process.args[0]: /none: execve: No such file or directory")


TESTS = [nothing_after, flags, bare, load_refused, execution_denied, nobody_beside, told_from_a_terminal]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
