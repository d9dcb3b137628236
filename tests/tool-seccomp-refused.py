# SPDX-License-Identifier: MIT
"""`linux.seccomp`: every value that is refused, in one line by its path. Prints TAP."""
import os
import re
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from seccomp import profile, rule
from tool import equal, ok, one_line

LISTENER = "linux.seccomp.listenerPath"


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
    (profile("ALLOW", defaultErrnoRet=1),
     "linux.seccomp.defaultErrnoRet: expected only with SCMP_ACT_ERRNO or SCMP_ACT_TRACE"),
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
    (profile("ALLOW", *NOTIFIES, listenerPath=""),
     LISTENER + ": is missing, expected the socket of an agent for SCMP_ACT_NOTIFY"),
    (profile("ALLOW", *NOTIFIES, listenerPath="x"), LISTENER + ": expected an absolute path"),
    (profile("ALLOW", *NOTIFIES, listenerPath=LONG), LISTENER + ": expected at most 107 bytes"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}, "linux.seccomp.syscalls: expected an array, not an object"),
    (profile("ALLOW", rule("x", "ALLOW"), "read"), "linux.seccomp.syscalls[1]: expected an object, not a string"),
    (profile("ALLOW", {"action": "SCMP_ACT_ERRNO"}), "linux.seccomp.syscalls[0].names: is missing, expected an array"),
    (profile("ALLOW", {"name": "x", "action": "SCMP_ACT_ERRNO"}),
     "linux.seccomp.syscalls[0].names: is missing, expected an array"),
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
    (profile("ALLOW", rule("read", "ERRNO", args=[[]])),
     "linux.seccomp.syscalls[0].args[0]: expected an object, not an array"),
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
       "linux.seccomp.syscalls[0].names[1]: %s: not with SCMP_ACT_NOTIFY: init itself needs it to hand over the "
       "listener" % name)
      for name in ("write", "read")),
    (profile("ALLOW", rule("write", "NOTIFY", (0, "SCMP_CMP_EQ", 1)), listenerPath="/x"),
     "linux.seccomp.syscalls[0].names[0]: write: not with SCMP_ACT_NOTIFY: init itself needs it to hand over the listener"),
    *((seccomp, "linux.seccomp: expected %s to be allowed where SCMP_ACT_NOTIFY is used: init itself needs it to hand over "
       "the listener" % name) for name, seccomp in (
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
                command = [tool.TOOL, *(part.format(fd=ours.fileno()) for part in args)]
                result = tool.finish(tool.start(command, [ours.fileno()]))
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
    ok(re.fullmatch(r"config\.json: linux\.seccomp: makes \d+ instructions, more than the kernel's limit of 4096",
                    one_line(result.err)), result.err)


TESTS = [refused, too_large]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
