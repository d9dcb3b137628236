# SPDX-License-Identifier: MIT
"""`syncdemo run`: what the kernel does with the process: its scheduler, priorities, personality, and parameters of its
namespaces. Each with a value that is not the default, as the kernel tells it inside.

Prints TAP.
"""
import errno
import json
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import configuration, fails, fill, fine, ordinary, run, seen, shell
from container import over
from tool import Skip, contains, equal, need_root, ok, one_line

PLAIN = {"policy": 0, "flags": 0, "nice": 0, "priority": 0, "runtime": 0, "deadline": 0, "period": 0}


def need_nice():
    """The right to raise a priority, and the priority of somebody who was not started by nice(1)."""
    need_root("raise priorities")
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -1)
    except PermissionError:
        raise Skip("no CAP_SYS_NICE") from None
    os.setpriority(os.PRIO_PROCESS, 0, 0)


def scheduler_of(place, mapped=False, **keys):
    inside = seen(place, configuration(mapped=mapped, scheduler=keys), "scheduler")["scheduler"]
    ok(isinstance(inside, dict), inside)
    if inside["policy"] != 6:
        inside["runtime"] = 0           # newer kernels tell the length of a slice there
    return {name: value for name, value in inside.items() if value != PLAIN[name]}


def scheduler(place):
    """process.scheduler: every policy, nice, priority, flags, also for a process in a user namespace"""
    need_nice()
    for mapped in (False, True):
        equal(scheduler_of(place, mapped, policy="SCHED_OTHER", nice=-5), {"nice": -5})
        equal(scheduler_of(place, mapped, policy="SCHED_BATCH", nice=7), {"policy": 3, "nice": 7})
        equal(scheduler_of(place, mapped, policy="SCHED_IDLE"), {"policy": 5})
        equal(scheduler_of(place, mapped, policy="SCHED_FIFO", priority=3), {"policy": 1, "priority": 3})
        equal(scheduler_of(place, mapped, policy="SCHED_RR", priority=9, flags=["SCHED_FLAG_RESET_ON_FORK"]),
              {"policy": 2, "priority": 9, "flags": 1})
        wanted = {"runtime": 1000000, "deadline": 20000000, "period": 30000000}
        equal(scheduler_of(place, mapped, policy="SCHED_DEADLINE", **wanted), {"policy": 6, **wanted})
    equal(seen(place, configuration(scheduler={}), "scheduler")["scheduler"]["policy"], 0)


def scheduler_refused(place):
    """process.scheduler: what means nothing, by its path"""
    for keys, text in (
            ({"nice": 1}, "process.scheduler.policy: is missing"),
            ({"policy": "SCHED_NONE"}, "process.scheduler.policy: SCHED_NONE: no scheduling policy"),
            ({"policy": "SCHED_ISO"}, "process.scheduler.policy: SCHED_ISO: Linux has no such policy"),
            ({"policy": "SCHED_OTHER", "nice": 20}, "process.scheduler.nice: expected -20 to 19"),
            ({"policy": "SCHED_OTHER", "priority": 1}, "process.scheduler.priority: means nothing to this policy"),
            ({"policy": "SCHED_FIFO", "priority": 100}, "process.scheduler.priority: expected 0 to 99"),
            ({"policy": "SCHED_FIFO", "runtime": 1}, "process.scheduler.runtime: means nothing to this policy"),
            ({"policy": "SCHED_DEADLINE", "period": -1}, "process.scheduler.period: expected 0 to "),
            ({"policy": "SCHED_OTHER", "flags": ["X"]}, "process.scheduler.flags[0]: X: no flag of a scheduler"),
            ({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_UTIL_CLAMP_MIN"]},
             "process.scheduler.flags[0]: SCHED_FLAG_UTIL"),
            ({"policy": "SCHED_FIFO"}, "config.json: process.scheduler: sched_setattr: Invalid argument")):
        fails(place, configuration("echo", "started", scheduler=keys), "config.json: ", text)


def io_priority(place):
    """process.ioPriority"""
    for mapped in (False, True):
        for name, number, level in (("BE", 2, 6), ("IDLE", 3, 0), ("BE", 2, 0)):
            config = configuration(mapped=mapped, ioPriority={"class": "IOPRIO_CLASS_" + name, "priority": level})
            equal(seen(place, config, "io_priority"), {"io_priority": [number, level]})
    config = configuration(ioPriority={"class": "IOPRIO_CLASS_RT", "priority": 5})
    result = run(place, config | {"process": config["process"] | {"args": ["probe", "io_priority"]}})
    if result.code != 0:
        contains(one_line(result.err), "process.ioPriority: ioprio_set: Operation not permitted")
    else:
        contains(result.out, "[1, 5]")
    for value, text in (({"class": "X", "priority": 1}, "process.ioPriority.class: X: expected IOPRIO_CLASS_RT"),
                        ({"class": "IOPRIO_CLASS_BE"}, "process.ioPriority.priority: is missing"),
                        ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "process.ioPriority.priority: expected 0 to 7")):
        fails(place, configuration("true", ioPriority=value), "config.json: " + text)


def personality(place):
    """linux.personality: what uname(2) says"""
    own = os.uname().machine
    other = {"x86_64": "i686", "aarch64": "armv8l"}.get(own)
    if not other:
        raise Skip("no other personality of %s known here" % own)
    for domain, machine in (("LINUX32", other), ("LINUX", own)):
        config = configuration()
        config["linux"]["personality"] = {"domain": domain}
        equal(seen(place, config, "machine"), {"machine": machine})
    for value, text in (({"domain": "X"}, "linux.personality.domain: X: expected LINUX or LINUX32"),
                        ({"flags": []}, "linux.personality.domain: is missing"),
                        ({"domain": "LINUX", "flags": ["X"]}, "linux.personality.flags: not supported")):
        config = configuration("true")
        config["linux"]["personality"] = value
        fails(place, config, "config.json: " + text)


def memory_policy(place):
    """linux.memoryPolicy: mode, nodes and flags"""
    if not os.path.exists("/proc/self/numa_maps"):
        raise Skip("a kernel without memory policies")
    for value, wanted in (({"mode": "MPOL_BIND", "nodes": "0"}, [2, 1]), ({"mode": "MPOL_LOCAL"}, [4, 0]),
                          ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, [3 | 1 << 15, 1]),
                          ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0-1,0", "flags": ["MPOL_F_RELATIVE_NODES"]}, None),
                          ({"mode": "MPOL_DEFAULT"}, [0, 0])):
        for mapped in (False, True):
            config = configuration(mapped=mapped)
            config["linux"]["memoryPolicy"] = value
            got = seen(place, config, "memory_policy")["memory_policy"]
            equal((value, got), (value, wanted or [5 | 1 << 14, got[1]]))
    for value, text in (({"nodes": "0"}, "mode: is missing"), ({"mode": "x"}, "mode: x: no mode of a memory policy"),
                        ({"mode": "MPOL_BIND", "nodes": "1-0"}, "nodes: 1-0: expected nodes below 1024"),
                        ({"mode": "MPOL_BIND", "nodes": "0,"}, "nodes: 0,: expected"),
                        ({"mode": "MPOL_BIND", "nodes": "1024"}, "nodes: 1024: expected"),
                        ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["x"]}, "flags[0]: x: no flag of a memory policy")):
        config = configuration("true")
        config["linux"]["memoryPolicy"] = value
        fails(place, config, "config.json: linux.memoryPolicy." + text)
    config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND"}
    fails(place, config, "config.json: linux.memoryPolicy: set_mempolicy: Invalid argument")


def ordinary_user(place):
    """as an ordinary user: what needs no right, and parameters of namespaces of his own"""
    nice = max(4, os.getpriority(os.PRIO_PROCESS, 0))
    config = configuration("/bin/probe", "scheduler", "io_priority", "machine",
                           scheduler={"policy": "SCHED_BATCH", "nice": nice},
                           ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 7})
    config["linux"]["personality"] = {"domain": "LINUX32"}
    inside = json.loads(ordinary(place, config))
    equal((inside["scheduler"]["policy"], inside["scheduler"]["nice"], inside["io_priority"]), (3, nice, [2, 7]))
    ok(inside["machine"] != os.uname().machine, inside)
    values = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "8191"}
    before = host_values(values)
    equal(ordinary(place, with_sysctl(values)), "1\n8191\n")
    equal(host_values(values), before)


# ---- parameters of the kernel ----------------------------------------------------

SYSCTLS = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/rp_filter": "2", "net.core.somaxconn": "77",
           "kernel.msgmax": "8191",
           "kernel.sem": "250\t32000\t100\t127", "kernel.shmmni": "4095", "kernel.shm_rmid_forced": "1",
           "fs.mqueue.msg_max": "9", "kernel/domainname": "example.org"}


def path_of(name):
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def host_values(names):
    values = {}
    for name in names:
        with open(path_of(name), encoding="ascii") as file:
            values[name] = file.read()
    return values


def with_sysctl(values, *args, **kwargs):
    config = shell("cat " + " ".join(map(path_of, values)), **kwargs) if not args else configuration(*args, **kwargs)
    config["linux"]["sysctl"] = values
    return config


def sysctl(place):
    """linux.sysctl: what the namespaces have for themselves, and nothing of it outside"""
    need_root("start containers")
    names = [name for name in SYSCTLS if os.path.exists(path_of(name))]
    ok(len(names) > 5, names)
    before = host_values(names)
    values = {name: SYSCTLS[name] for name in names}
    ok(all(before[name].strip() != values[name] for name in names), before)
    wanted = "".join(value + "\n" for value in values.values())
    equal(fine(place, with_sysctl(values)), wanted)
    # A domain name is the first user namespace's root's alone to change; older kernels have fewer of net.core for others.
    del values["kernel/domainname"]
    in_another = ["unshare", "--user", "--map-root-user", "--net", "test", "-e", path_of("net.core.somaxconn")]
    if tool.finish(tool.start(in_another)).code:
        del values["net.core.somaxconn"]
    equal(fine(place, with_sysctl(values, mapped=True)), "".join(value + "\n" for value in values.values()))
    equal(fine(place, with_sysctl({"user.max_ipc_namespaces": "5"}, mapped=True)), "5\n")
    equal(host_values(names), before)


def sysctl_refused(place):
    """linux.sysctl: what would be the host's, and what is no name"""
    for name, text in (
            ("kernel.pid_max", "no namespace has it for itself: it would be the host's"),
            ("vm.swappiness", "it would be the host's"), ("kernel.shmmaxx", "it would be the host's"),
            ("kernel.core_pattern", "it would be the host's"), ("fs.file-max", "it would be the host's"),
            ("kernel.hostname", "said by hostname"), ("net", "it would be the host's"),
            ("user.max_ipc_namespaces", "without a user namespace in linux.namespaces"),
            ("net..ipv4", "no name of a parameter"), ("net.", "no name of a parameter"), ("", "no name of a parameter"),
            ("net/../kernel/pid_max", "no name of a parameter"), ("net/./core", "no name of a parameter"),
            ("net.ipv4.none", "net.ipv4.none: net/ipv4/none: openat2: No such file or directory"),
            ("net.ipv4", "net.ipv4: net/ipv4: openat2: Is a directory")):
        fails(place, with_sysctl({name: "1"}, "echo", "started"), "config.json: linux.sysctl", text)
    for kinds, name in ((("mount", "pid"), "net.core.somaxconn"), (("mount", "pid"), "kernel.msgmax"),
                        (("mount", "pid"), "fs.mqueue.msg_max"), (("mount", "pid"), "kernel.domainname")):
        fails(place, with_sysctl({name: "1"}, "echo", "started", kinds=kinds), "linux.sysctl.%s: without a " % name)
    fails(place, with_sysctl({"net.core.somaxconn": "x"}, "echo", "started"),
          "config.json: linux.sysctl: net.core.somaxconn: x: write: Invalid argument")
    fails(place, with_sysctl({"net.core.somaxconn": 1}, "echo", "started"), "expected a string, not an integer")


def sysctl_of_interface(place):
    """linux.sysctl: a name with a dot of its own in it"""
    config = with_sysctl({"net.ipv4.conf.lo/1.forwarding": "1"}, "echo", "started")
    fails(place, config, "net.ipv4.conf.lo/1.forwarding: net/ipv4/conf/lo.1/forwarding: openat2: No such file")


def sysctl_image(place):
    """linux.sysctl: neither the image nor its mounts, nor what lies over the host's /proc, say which file is written"""
    need_root("mount")
    values = {"net.core.somaxconn": "78"}
    config = with_sysctl(values, "cat", "/proc/sys/net/core/somaxconn", "/fake/net/core/somaxconn")
    place.file("fake/net/core/somaxconn", "untouched\n")
    config["mounts"] += [tool.bind(place.path + "/fake", "/fake"), tool.bind(place.path + "/fake", "/proc/sys")]
    equal(fine(place, config), "untouched\nuntouched\n")
    config = with_sysctl(values)
    with over("/proc/sys/net", "tmpfs"):
        equal(fine(place, config), "78\n")
    with open(place.path + "/fake/net/core/somaxconn", encoding="ascii") as file:
        equal(file.read(), "untouched\n")


def keyring(place):
    """where a filter around the runtime denies keyctl(2), as Docker's does: a warning; no room for a key: the sysctl is named"""
    deny = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
    number = {"x86_64": 250, "i686": 288, "aarch64": 219}.get(os.uname().machine)
    if not number or not os.path.exists(deny):
        raise Skip("no number of keyctl(2) is known here, or tests/support/deny-syscall is not built")
    need_root("start containers")
    fill(place)
    path = place.write(configuration("echo", "started"))

    def told(action):
        command = [deny, "%d:%s" % (number, action), "--", tool.TOOL, "run", "--bundle", path, "test"]
        return tool.finish(tool.start(command))
    equal(told("ENOSYS"), (0, "started\n", ""))
    result = told("EPERM")
    equal((result.code, result.out), (0, "started\n"))
    contains(one_line(result.err), "warning: session keyring: keyctl: Operation not permitted: ")
    result = told(str(errno.EDQUOT))
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "kernel.keys.maxkeys", "session keyring: keyctl: Disk quota exceeded")


TESTS = [keyring, scheduler, scheduler_refused, io_priority, personality, memory_policy,
         ordinary_user, sysctl, sysctl_refused,
         sysctl_of_interface, sysctl_image]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
