# SPDX-License-Identifier: MIT
"""`linux.seccomp` in real containers: each action, operator, flag and architecture as the container's program meets it, what
init may do under the filter, and every value that is refused. The agent has tests of its own. Prints TAP.
"""
import os
import re
import shutil
import struct
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import agent
import container
import terminal
import tool
from tool import Skip, contains, equal, extents, need_root, ok, one_line

CALLS = os.path.join(tool.BUILD, "tests", "support", "calls")
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
X86 = os.uname().machine == "x86_64"
CAPS = "CAP_CHOWN CAP_NET_BIND_SERVICE CAP_SYS_ADMIN".split()
SIGSYS = 31
LISTENER = "linux.seccomp.listenerPath"


# ---- bundles ---------------------------------------------------------------------

def rule(names, action, *args, **more):
    entry = {"names": names.split(), "action": "SCMP_ACT_" + action, **more}
    if args:
        entry["args"] = [dict(zip(("index", "op", "value", "valueTwo"), arg)) for arg in args]
    return entry


def profile(default, *rules, **more):
    return {"defaultAction": "SCMP_ACT_" + default, "syscalls": list(rules), **more}


def configuration(place, seccomp, *args, **process):
    """A container that runs calls or the probe, under @seccomp."""
    if not os.path.exists(CALLS):
        raise Skip("tests/support/calls is not built")
    config = container.configure(place, "", [container.PROC])
    inside = os.path.join(place.rootfs, "bin", "calls")
    if not os.path.exists(inside):
        shutil.copy(CALLS, inside)
    config["process"].update(process, args=list(args))
    config["linux"]["seccomp"] = seccomp
    return config


def run(place, seccomp, *args, command=(), options=(), **process):
    need_root("start containers")
    bundle = place.write(configuration(place, seccomp, *args, **process))
    return tool.finish(tool.start([*command, tool.TOOL, "run", "--bundle", bundle, *options, "test"]))


def results(place, seccomp, *calls, err="", **process):
    """What came of each call."""
    result = run(place, seccomp, "/bin/calls", *calls, **process)
    equal((result.code, result.err), (0, err))
    return [line.split(": ", 1)[1] for line in result.out.splitlines()]


# ---- the filter is there, and nothing else has changed ---------------------------------

def status(place, seccomp, **process):
    result = run(place, seccomp, "/bin/busybox", "cat", "/proc/self/status", **process)
    equal((result.code, result.err), (0, ""))
    return dict(line.split(":\t", 1) for line in result.out.splitlines() if ":\t" in line)


def modes(place):
    """a filter is there, and ids, capabilities and the rest are what they are without it"""
    allow = profile("ALLOW", rule("sched_yield", "ERRNO"))
    sets = {name: CAPS for name in ("bounding", "permitted", "effective", "inheritable", "ambient")}
    few = {name: CAPS[:2] for name in sets}
    uneven = {"bounding": CAPS[:2], "permitted": CAPS[:1], "effective": [], "inheritable": CAPS[:1]}
    with open("/proc/self/status", encoding="ascii") as file:
        own = int(dict(line.split(":\t", 1) for line in file).get("Seccomp_filters", "0"))    # that are there without us
    for process in ({}, {"noNewPrivileges": True}, {"capabilities": sets}, {"capabilities": few}, {"capabilities": uneven},
                    {"user": {"uid": 1000, "gid": 1000, "additionalGids": [7]}, "capabilities": few},
                    {"user": {"uid": 1000, "gid": 1000}, "capabilities": uneven},
                    {"user": {"uid": 1000, "gid": 1000}},
                    {"user": {"uid": 1000, "gid": 1000}, "capabilities": few, "noNewPrivileges": True}):
        without, with_ = status(place, None, **process), status(place, allow, **process)
        equal((without.pop("Seccomp"), int(without.pop("Seccomp_filters", own))), ("2" if own else "0", own))
        equal((with_.pop("Seccomp"), int(with_.pop("Seccomp_filters", own + 1))), ("2", own + 1))
        for key in list(without):
            if not re.match("Uid|Gid|Groups|Cap|NoNewPrivs|Sig[BIC]|Umask|TracerPid|FDSize", key):
                del without[key], with_[key]
        equal(with_, without)
        equal(with_["NoNewPrivs"], "1" if process.get("noNewPrivileges") else "0")


# ---- actions ---------------------------------------------------------------------------

def actions(place):
    """every action, as the program meets it"""
    for default, entry, outcome in (
            ("ALLOW", rule("sched_yield", "ERRNO"), "Operation not permitted"),
            ("ALLOW", rule("sched_yield", "ERRNO", errnoRet=38), "Function not implemented"),
            ("ALLOW", rule("sched_yield", "ERRNO", errnoRet=0), "0"),
            ("ALLOW", rule("sched_yield", "TRAP"), "trapped"),
            ("ALLOW", rule("sched_yield", "TRACE"), "Function not implemented"),        # nobody traces
            ("ALLOW", rule("sched_yield", "TRACE", errnoRet=7), "Function not implemented"),
            ("ALLOW", rule("sched_yield", "LOG"), "0"),
            ("ALLOW", rule("sched_yield", "ALLOW"), "0"),       # as the default has it, which libseccomp alone refuses
            ("LOG", rule("getppid", "ERRNO"), "0")):
        equal(results(place, profile(default, entry), "sched_yield"), [outcome])


def kills(place):
    """actions that kill, one of them without an own signal handler in the way"""
    for action in ("KILL", "KILL_THREAD", "KILL_PROCESS"):
        result = run(place, profile("ALLOW", rule("sched_yield", action)), "/bin/calls", "getppid", "sched_yield")
        equal((result.code, result.err), (128 + SIGSYS, ""))
    result = run(place, profile("ALLOW", rule("sched_yield", "TRAP")), "/bin/calls", "--default", "sched_yield")
    equal((result.code, result.err), (128 + SIGSYS, ""))


# What a static program needs to start, speak and end; a list that is too short shows at once.
NEEDED = rule("read write close execve exit exit_group arch_prctl set_tid_address set_robust_list rseq prlimit64 mprotect "
              "brk readlinkat readlink getrandom newfstatat fstat ioctl rt_sigaction rt_sigprocmask mmap munmap futex", "ALLOW")


def defaults(place):
    """the default action and its errno, for what no entry names"""
    for more, outcome in (({}, "Operation not permitted"), ({"defaultErrnoRet": 38}, "Function not implemented"),
                          ({"defaultErrnoRet": 1}, "Operation not permitted")):
        equal(results(place, profile("ERRNO", NEEDED, **more), "sched_yield", "getppid"), [outcome] * 2)
    equal(results(place, profile("ERRNO", NEEDED, rule("getppid", "ALLOW")), "sched_yield", "getppid"),
          ["Operation not permitted", "0"])
    equal(results(place, profile("TRAP", NEEDED), "sched_yield"), ["trapped"])
    equal(results(place, profile("TRACE", NEEDED), "sched_yield"), ["Function not implemented"])
    equal(results(place, {"defaultAction": "SCMP_ACT_ALLOW"}, "sched_yield"), ["0"])


def newer_calls(place):
    """what came after the last call that a profile names fails with ENOSYS, so that a C library tries an older one"""
    if not X86:
        raise Skip("needs the numbers of x86-64")
    # The last that it names is faccessat2(2), 439; what is below that and not named is the default's.
    names = ("sched_yield", "438", "439", "440", "462", "9999")
    for default, last in (("ERRNO", "Operation not permitted"), ("TRAP", "trapped")):
        for action in ("ALLOW", "KILL"):        # whatever it says of it
            entry = rule("faccessat2", action, (5, "SCMP_CMP_EQ", 77))
            equal(results(place, profile(default, NEEDED, entry), *names), [last] * 3 + ["Function not implemented"] * 3)
    entry = rule("faccessat2", "ALLOW")
    for default in ("ALLOW", "LOG"):
        equal(results(place, profile(default, NEEDED, rule("faccessat2", "ERRNO")), "9999", "439"),
              ["Function not implemented", "Operation not permitted"])
        equal(results(place, profile(default, rule("getppid", "ERRNO")), "439:-1"), ["Bad address"])
    equal(results(place, profile("TRACE", NEEDED, entry), "462"), ["Function not implemented"])
    # Of each architecture the last of its own; a call of x32, which is not listed, is what it is without this.
    both = {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}
    # The last of both is rseq(2), 334 and 386; no filter sees uretprobe(2), 335.
    equal(results(place, profile("ERRNO", NEEDED, rule("getppid getpid", "ALLOW"), **both), "i386-getpid", "getppid",
                  "333", "424", "i386-335", "i386-387"),
          ["1", "0", "Operation not permitted", "Function not implemented", "Operation not permitted", "Function not implemented"])
    x32 = str(0x40000000 + 9999)
    result = run(place, profile("ERRNO", NEEDED, entry), "/bin/calls", "--default", x32)
    equal((result.code, result.out), (128 + SIGSYS, ""))
    equal(results(place, profile("ERRNO", NEEDED, entry, architectures=["SCMP_ARCH_X32"]), x32), ["Function not implemented"])


def arguments(place):
    """every operator; several arguments must all match, several conditions on one need one match"""
    denied, passed = "Operation not permitted", "0"
    for op, values in (("EQ", {4: passed, 5: denied, 6: passed}), ("NE", {4: denied, 5: passed, 6: denied}),
                       ("LT", {4: denied, 5: passed, 6: passed}), ("LE", {4: denied, 5: denied, 6: passed}),
                       ("GT", {4: passed, 5: passed, 6: denied}), ("GE", {4: passed, 5: denied, 6: denied})):
        seccomp = profile("ALLOW", rule("sched_yield", "ERRNO", (0, "SCMP_CMP_" + op, 5)))
        got = results(place, seccomp, *("sched_yield:%d" % value for value in values))
        equal(got, list(values.values()))
    seccomp = profile("ALLOW", rule("sched_yield", "ERRNO", (1, "SCMP_CMP_MASKED_EQ", 0xf0, 0x50)))
    equal(results(place, seccomp, "sched_yield:0,0x5f", "sched_yield:0,0x50", "sched_yield:0,0x60"), [denied, denied, passed])
    # All bits of the largest number count.
    seccomp = profile("ALLOW", rule("sched_yield", "ERRNO", (5, "SCMP_CMP_EQ", 2**64 - 1)))
    equal(results(place, seccomp, "sched_yield:0,0,0,0,0,%d" % (2**64 - 1), "sched_yield:0,0,0,0,0,%d" % (2**63 - 1),
                  "sched_yield:0,0,0,0,0,%d" % (2**32 - 1)), [denied, passed, passed])
    seccomp = profile("ALLOW", rule("sched_yield", "ERRNO", (0, "SCMP_CMP_EQ", 1), (2, "SCMP_CMP_EQ", 2)))
    equal(results(place, seccomp, "sched_yield:1,0,2", "sched_yield:1,0,3", "sched_yield:0,0,2"), [denied, passed, passed])
    seccomp = profile("ALLOW", rule("sched_yield", "ERRNO", (0, "SCMP_CMP_EQ", 1), (0, "SCMP_CMP_EQ", 2)))
    equal(results(place, seccomp, "sched_yield:1", "sched_yield:2", "sched_yield:3"), [denied, denied, passed])


def architectures(place):
    """only the architectures that are listed and the machine's own; a call of another one kills"""
    if not X86:
        raise Skip("needs x86-64")
    both = ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"]
    equal(results(place, profile("ALLOW", rule("getpid", "ERRNO", errnoRet=7), architectures=both), "i386-getpid", "getppid"),
          ["Argument list too long", "0"])
    for listed in (["SCMP_ARCH_X86"], both + ["SCMP_ARCH_X32"], both + both):
        equal(results(place, profile("ALLOW", rule("sched_yield", "ERRNO"), architectures=listed), "i386-getpid", "sched_yield"),
              ["1", "Operation not permitted"])
    for listed in ({}, {"architectures": []}, {"architectures": ["SCMP_ARCH_X86_64"]}):
        result = run(place, profile("ALLOW", rule("sched_yield", "ERRNO"), **listed), "/bin/calls", "i386-getpid")
        equal((result.code, result.out, result.err), (128 + SIGSYS, "", ""))


# ---- how it is loaded ------------------------------------------------------------------

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
    for process in ({}, {"noNewPrivileges": True}, {"user": {"uid": 1000, "gid": 1000}, "capabilities": {"bounding": CAPS[:1]}}):
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


def execution_denied(place):
    """a program that cannot be executed is told of through the filter, as far as that lets it"""
    for seccomp in (profile("ALLOW"), profile("ALLOW", rule("sendto sendmsg", "ERRNO")),
                    profile("ALLOW", rule("sendto sendmsg poll ppoll shutdown munmap", "KILL_PROCESS"))):
        result = run(place, seccomp, "/bin/none")
        equal((result.code, result.out), (1, ""))
        contains(one_line(result.err), "config.json: process.args[0]: /bin/none: execve: No such file or directory")
    result = run(place, profile("ALLOW", rule("execve", "ERRNO", errnoRet=5)), "/bin/calls")
    contains(one_line(result.err), "process.args[0]: /bin/calls: execve: Input/output error")


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


def ordinary_user(place):
    """as an ordinary user, with and without no_new_privs"""
    uid, gid = (65533, 65533) if tool.ROOT else (os.getuid(), os.getgid())
    for nnp in (True, False):
        config = configuration(place, profile("ALLOW", rule("sched_yield", "ERRNO")), "/bin/calls", "sched_yield", noNewPrivileges=nnp)
        config["linux"]["namespaces"] = [{"type": name} for name in "user pid mount ipc uts".split()]
        config["linux"].update(uidMappings=extents("0:%d:1" % uid), gidMappings=extents("0:%d:1" % gid))
        place.write(config)
        program, environment = tool.copy_tool(place)
        os.chmod(place.path, 0o755)
        for path, _, _ in os.walk(place.bundle):
            os.chown(path, uid, gid)
        result = tool.finish(tool.start([program, "run", "--bundle", place.bundle, "test"], preexec_fn=tool.ordinary_user,
                                        env=environment))
        if "clone3: Operation not permitted" in result.err:
            raise Skip("no user namespaces here: " + one_line(result.err))
        equal(result, (0, "sched_yield: Operation not permitted\n", ""))


# ---- what init leaves and says under a filter ----------------------------------------------

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
    config = configuration(place, profile("ALLOW", rule("sched_yield", "ERRNO")), "/bin/sh", "-c", "sleep %d" % tool.PATIENCE)
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
            process = here.start([tool.TOOL, "run", "--bundle", place.write(config), "test"], stderr=subprocess.PIPE, text=True)
            said = process.communicate(timeout=tool.TIMEOUT)[1]
        equal(process.returncode, 1)
        contains(one_line(said), "process.args[0]: /none: execve: No such file or directory")


# ---- what cannot be done -------------------------------------------------------------------

def unknown_names(place):
    """names that libseccomp does not know: fine where they allow, and a warning where they were to restrict"""
    equal(results(place, profile("ERRNO", NEEDED, rule("no_such_call sched_yield", "ALLOW")), "sched_yield"), ["0"])
    for names, more in (("no_such_call sched_yield", ""), ("sched_yield no_such_call neither", ", nor are others")):
        index = names.split().index("no_such_call")
        config = configuration(place, profile("ALLOW", rule("getppid", "ERRNO"), rule(names, "ERRNO")), "/bin/calls", "sched_yield")
        need_root("start containers")
        result = tool.run("run", "--bundle", place.write(config), "test")
        equal((result.code, result.out), (0, "sched_yield: Operation not permitted\n"))
        ok(re.fullmatch(r"syncdemo: warning: config\.json: linux\.seccomp\.syscalls\[1\]\.names\[%d\]: no_such_call: "
                        r"unknown to libseccomp [0-9.]+: not restricted%s\n" % (index, more), result.err), result.err)


def arg(**changes):
    return profile("ALLOW", rule("read", "ALLOW"), {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "args": [
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 1, "op": "SCMP_CMP_EQ", **changes}]})


ACTION = ": expected SCMP_ACT_ALLOW, ERRNO, KILL, KILL_PROCESS, KILL_THREAD, LOG, NOTIFY, TRACE or TRAP"
ARG = "linux.seccomp.syscalls[1].args[1]."
U64 = "expected 0 to 18446744073709551615"
LONG = "/" + "x" * 107
NOTIFIES = [rule("mkdirat", "NOTIFY")]
BAD = (
    ("x", "linux.seccomp: expected an object, not a string"),
    ({}, "linux.seccomp.defaultAction: is missing, expected a string"),
    ({"defaultAction": 1}, "linux.seccomp.defaultAction: expected a string, not an integer"),
    ({"defaultAction": "x\x1b"}, r"linux.seccomp.defaultAction: x\x1b" + ACTION),
    (profile("allow"), "linux.seccomp.defaultAction: SCMP_ACT_allow" + ACTION),
    (profile("NOTIFY"), "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY: init itself needs calls that are let through"),
    (profile("ALLOW", defaultErrnoRet=1), "linux.seccomp.defaultErrnoRet: expected only with SCMP_ACT_ERRNO or SCMP_ACT_TRACE"),
    (profile("ERRNO", defaultErrnoRet=4096), "linux.seccomp.defaultErrnoRet: expected 0 to 4095"),
    (profile("ERRNO", defaultErrnoRet=-1), "linux.seccomp.defaultErrnoRet: expected 0 to 4095"),
    (profile("TRACE", defaultErrnoRet=65536), "linux.seccomp.defaultErrnoRet: expected 0 to 65535"),
    (profile("ERRNO", defaultErrnoRet="EPERM"), "linux.seccomp.defaultErrnoRet: expected an integer, not a string"),
    (profile("ALLOW", architectures="SCMP_ARCH_X86"), "linux.seccomp.architectures: expected an array, not a string"),
    (profile("ALLOW", architectures=[1]), "linux.seccomp.architectures[0]: expected a string, not an integer"),
    *((profile("ALLOW", architectures=["SCMP_ARCH_X86", name]),
       "linux.seccomp.architectures[1]: %s: expected SCMP_ARCH_X86_64 or another that libseccomp knows" % name)
      for name in ("SCMP_ARCH_VAX", "x86_64", "SCMP_ARCH_", "SCMP_ARCH_x86", "", "SCMP_ARCH_" + 40 * "X")),
    (profile("ALLOW", architectures=["SCMP_ARCH_S390X"]),
     "linux.seccomp.architectures[0]: SCMP_ARCH_S390X: libseccomp refuses it beside this machine's own: "),
    (profile("ALLOW", flags={}), "linux.seccomp.flags: expected an array, not an object"),
    (profile("ALLOW", flags=[None]), "linux.seccomp.flags[0]: expected a string, not null"),
    (profile("ALLOW", flags=["SECCOMP_FILTER_FLAG_LOG", "LOG"]),
     "linux.seccomp.flags[1]: LOG: expected SECCOMP_FILTER_FLAG_LOG, SPEC_ALLOW, TSYNC or WAIT_KILLABLE_RECV"),
    (profile("ALLOW", flags=["SECCOMP_FILTER_FLAG_NEW_LISTENER"]),
     "linux.seccomp.flags[0]: SECCOMP_FILTER_FLAG_NEW_LISTENER: expected SECCOMP_FILTER_FLAG_LOG, "),
    (profile("ALLOW", listenerPath=1), "linux.seccomp.listenerPath: expected a string, not an integer"),
    (profile("ALLOW", listenerPath="/x", listenerMetadata=1), "linux.seccomp.listenerMetadata: expected a string"),
    (profile("ALLOW", listenerMetadata="x"), "linux.seccomp.listenerMetadata: expected only with listenerPath"),
    (profile("ALLOW", *NOTIFIES), LISTENER + ": is missing, expected the socket of an agent for SCMP_ACT_NOTIFY"),
    (profile("ALLOW", *NOTIFIES, listenerPath=""), LISTENER + ": is missing, expected the socket of an agent for SCMP_ACT_NOTIFY"),
    (profile("ALLOW", *NOTIFIES, listenerPath="x"), LISTENER + ": expected an absolute path"),
    (profile("ALLOW", *NOTIFIES, listenerPath=LONG), LISTENER + ": expected at most 107 bytes"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}, "linux.seccomp.syscalls: expected an array, not an object"),
    (profile("ALLOW", rule("x", "ALLOW"), "read"), "linux.seccomp.syscalls[1]: expected an object, not a string"),
    (profile("ALLOW", {"action": "SCMP_ACT_ERRNO"}), "linux.seccomp.syscalls[0].names: is missing, expected an array"),
    (profile("ALLOW", {"name": "x", "action": "SCMP_ACT_ERRNO"}), "linux.seccomp.syscalls[0].names: is missing, expected an array"),
    (profile("ALLOW", rule("", "ERRNO")), "linux.seccomp.syscalls[0].names: expected at least one name"),
    (profile("ALLOW", {"names": [""], "action": "SCMP_ACT_ERRNO"}),
     "linux.seccomp.syscalls[0].names[0]: expected the name of a system call"),
    (profile("ALLOW", {"names": ["read", 0], "action": "SCMP_ACT_ERRNO"}),
     "linux.seccomp.syscalls[0].names[1]: expected a string, not an integer"),
    (profile("ALLOW", {"names": ["read"]}), "linux.seccomp.syscalls[0].action: is missing, expected a string"),
    (profile("ALLOW", *[rule("read", "ALLOW")] * 3, rule("read", "ERNO")),
     "linux.seccomp.syscalls[3].action: SCMP_ACT_ERNO" + ACTION),
    (profile("ALLOW", rule("read", "KILL", errnoRet=1)),
     "linux.seccomp.syscalls[0].errnoRet: expected only with SCMP_ACT_ERRNO or SCMP_ACT_TRACE"),
    (profile("ALLOW", rule("read", "ERRNO", errnoRet=4096)), "linux.seccomp.syscalls[0].errnoRet: expected 0 to 4095"),
    (profile("ALLOW", rule("read", "ERRNO", errnoRet=2**64 + 1)), "linux.seccomp.syscalls[0].errnoRet: expected 0 to 4095"),
    (profile("ALLOW", rule("read", "ERRNO", args=1)), "linux.seccomp.syscalls[0].args: expected an array, not an integer"),
    (profile("ALLOW", rule("read", "ERRNO", args=[[]])), "linux.seccomp.syscalls[0].args[0]: expected an object, not an array"),
    (profile("ALLOW", rule("read", "ERRNO", args=[{}] * 65)), "linux.seccomp.syscalls[0].args: more than 64"),
    (arg(index=6), ARG + "index: expected 0 to 5"),
    (arg(index=-1), ARG + "index: expected 0 to 4294967295"),
    (arg(index=None), ARG + "index: is missing, expected an integer"),
    (arg(value=None), ARG + "value: is missing, expected an integer"),
    (arg(value=-1), ARG + "value: " + U64),
    (arg(value=2**64), ARG + "value: " + U64),
    (arg(value="1"), ARG + "value: expected an integer, not a string"),
    (arg(valueTwo=-1), ARG + "valueTwo: " + U64),
    (arg(valueTwo=1.5), ARG + "valueTwo: expected an integer, not a fraction"),
    (arg(op=None), ARG + "op: is missing, expected a string"),
    (arg(op="SCMP_CMP_X"), ARG + "op: SCMP_CMP_X: expected SCMP_CMP_EQ, GE, GT, LE, LT, MASKED_EQ or NE"),
    (profile("ALLOW", rule("getppid", "ERRNO", (0, "SCMP_CMP_EQ", 1)),
             rule("sched_yield getppid", "KILL", (0, "SCMP_CMP_EQ", 1))),
     "linux.seccomp.syscalls[1].names[1]: getppid: contradicts an earlier entry"),
    *((profile("ALLOW", rule("mkdirat " + name, "NOTIFY"), listenerPath="/x"),
       "linux.seccomp.syscalls[0].names[1]: %s: not with SCMP_ACT_NOTIFY: init itself needs it to hand over the listener" % name)
      for name in ("write", "read")),
    (profile("ALLOW", rule("write", "NOTIFY", (0, "SCMP_CMP_EQ", 1)), listenerPath="/x"),
     "linux.seccomp.syscalls[0].names[0]: write: not with SCMP_ACT_NOTIFY: init itself needs it to hand over the listener"),
    *((seccomp, "linux.seccomp: expected %s to be allowed where SCMP_ACT_NOTIFY is used: init itself needs it to hand over the "
       "listener" % name) for name, seccomp in (
           ("write", profile("ERRNO", *NOTIFIES, rule("read execve", "ALLOW"), listenerPath="/x")),
           ("read", profile("KILL", *NOTIFIES, rule("write execve", "ALLOW"), listenerPath="/x")),
           ("read", profile("ALLOW", *NOTIFIES, rule("read", "ERRNO"), listenerPath="/x")))),
)


def refused(place):
    """every wrong value, by its path, before anything is started; by both halves"""
    config = place.config("echo started")
    for seccomp, line in BAD:
        config["linux"]["seccomp"] = seccomp
        place.write(config)
        for args in (("run", "--bundle", place.bundle, "test"),
                     ("parent", "--bundle", place.bundle, "--pid", str(os.getpid()), "--sync-fd", "{fd}")):
            with tool.pair() as (ours, _):
                result = tool.finish(tool.start([tool.TOOL, *(part.format(fd=ours.fileno()) for part in args)], [ours.fileno()]))
            wanted = "config.json: " + line
            ok(result.err, "no refusal: %s" % line)
            equal((result.code, result.out, one_line(result.err)[:len(wanted)]), (1, "", wanted))


def too_large(place):
    """a profile that makes more instructions than the kernel takes"""
    entries = [rule("getppid", "ERRNO", (0, "SCMP_CMP_EQ", number)) for number in range(5000)]
    config = place.config("echo started")
    config["linux"]["seccomp"] = profile("ALLOW", *entries)
    result = tool.run("run", "--bundle", place.write(config), "test")
    equal((result.code, result.out), (1, ""))
    ok(re.fullmatch(r"config\.json: linux\.seccomp: makes \d+ instructions, more than the kernel's limit of 4096", one_line(result.err)),
       result.err)


TESTS = [modes, actions, kills, defaults, newer_calls, arguments, architectures, nothing_after, flags, bare, execution_denied, nobody_beside, told_from_a_terminal, load_refused,
         ordinary_user, unknown_names, refused, too_large]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
