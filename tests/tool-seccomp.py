# SPDX-License-Identifier: MIT
"""`linux.seccomp` in real containers: each action, operator and architecture as the container's program meets it.

tool-seccomp-load.py has the flags and what init may do under the filter, tool-seccomp-refused.py the values that are
refused, tool-seccomp-agent.py the agent. Prints TAP.
"""
import os
import re
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import ordinary
from seccomp import CAPS, configuration, profile, results, rule, run
from tool import Skip, equal, need_root, ok


X86 = os.uname().machine == "x86_64"
SIGSYS = 31

# What a static program needs to start, speak and end; a list that is too short shows at once.
NEEDED = rule("read write close execve exit exit_group arch_prctl set_tid_address set_robust_list rseq prlimit64 mprotect "
              "brk readlinkat readlink getrandom newfstatat fstat ioctl rt_sigaction rt_sigprocmask mmap munmap futex",
              "ALLOW")


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
          ["1", "0", *["Operation not permitted", "Function not implemented"] * 2])
    x32 = str(0x40000000 + 9999)
    result = run(place, profile("ERRNO", NEEDED, entry), "/bin/calls", "--default", x32)
    equal((result.code, result.out), (128 + SIGSYS, ""))
    equal(results(place, profile("ERRNO", NEEDED, entry, architectures=["SCMP_ARCH_X32"]), x32),
          ["Function not implemented"])


def unknown_names(place):
    """names that libseccomp does not know: fine where they allow, and a warning where they were to restrict"""
    equal(results(place, profile("ERRNO", NEEDED, rule("no_such_call sched_yield", "ALLOW")), "sched_yield"), ["0"])
    for names, more in (("no_such_call sched_yield", ""), ("sched_yield no_such_call neither", ", nor are others")):
        index = names.split().index("no_such_call")
        seccomp = profile("ALLOW", rule("getppid", "ERRNO"), rule(names, "ERRNO"))
        config = configuration(place, seccomp, "/bin/calls", "sched_yield")
        need_root("start containers")
        result = tool.run("run", "--bundle", place.write(config), "test")
        equal((result.code, result.out), (0, "sched_yield: Operation not permitted\n"))
        ok(re.fullmatch(r"syncdemo: warning: config\.json: linux\.seccomp\.syscalls\[1\]\.names\[%d\]: no_such_call: "
                        r"unknown to libseccomp [0-9.]+: not restricted%s\n" % (index, more), result.err), result.err)


# ---- which calls -----------------------------------------------------------------------

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
    equal(results(place, seccomp, "sched_yield:0,0x5f", "sched_yield:0,0x50", "sched_yield:0,0x60"),
          [denied, denied, passed])
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
    seccomp = profile("ALLOW", rule("getpid", "ERRNO", errnoRet=7), architectures=both)
    equal(results(place, seccomp, "i386-getpid", "getppid"), ["Argument list too long", "0"])
    for listed in (["SCMP_ARCH_X86"], both + ["SCMP_ARCH_X32"], both + both):
        seccomp = profile("ALLOW", rule("sched_yield", "ERRNO"), architectures=listed)
        equal(results(place, seccomp, "i386-getpid", "sched_yield"), ["1", "Operation not permitted"])
    for listed in ({}, {"architectures": []}, {"architectures": ["SCMP_ARCH_X86_64"]}):
        result = run(place, profile("ALLOW", rule("sched_yield", "ERRNO"), **listed), "/bin/calls", "i386-getpid")
        equal((result.code, result.out, result.err), (128 + SIGSYS, "", ""))


# ---- who -------------------------------------------------------------------------------

def ordinary_user(place):
    """as an ordinary user, with and without no_new_privs"""
    seccomp = profile("ALLOW", rule("sched_yield", "ERRNO"))
    for nnp in (True, False):
        config = configuration(place, seccomp, "/bin/calls", "sched_yield", noNewPrivileges=nnp)
        config["linux"]["namespaces"] = [{"type": name} for name in "user pid mount ipc uts".split()]
        equal(ordinary(place, config), "sched_yield: Operation not permitted\n")


TESTS = [modes, actions, kills, defaults, newer_calls, unknown_names, arguments, architectures, ordinary_user]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
