# SPDX-License-Identifier: MIT
"""Bundles for tests of what runtimes have in common: what `runc spec` writes, each with one variation."""
import copy
import json
import os
import resource

import tool
from container import MASKED, READ_ONLY, entry
from tool import bind, extents

BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")
FIRST = 200000          # who root of a user namespace is outside
PATHS = ["/", "/data", "/data/file", "/data/inner", "/etc/secret", "/etc/directory", "/tmp", "/tmp/below", "/link", "/ids",
         "/ids/file",
         "/dev", "/dev/shm", "/dev/pts", "/dev/mqueue", "/dev/fd", "/dev/core", "/dev/ptmx", "/dev/console",
         "/proc/self/timens_offsets", "/proc/self/coredump_filter", "/proc/self/comm", "/proc/self/cmdline",
         "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax", "/proc/sys/kernel/domainname",
         "/proc/sys/kernel/hostname", "/proc/sys/fs/mqueue/msg_max", *MASKED, *READ_ONLY]
IDS = {"uidMappings": extents("0:%d:65536" % FIRST), "gidMappings": extents("0:%d:65536" % (FIRST + 65536))}
SOMETIMES = "sometimes: "
OLD = "later versions have it"
SIZE = SOMETIMES + "the size of its terminal is passed on after the program was started"
EARLY = "the limits are its own set-up's, too"
TOO_OLD = {"crun": OLD, "runc": OLD}
BOUND = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SYS_ADMIN"]
HERE = "@PLACE@"        # becomes the test's directory


class Case:
    """A configuration; the keys, or the option, that it is about; which runtimes cannot do it in the version that is known,
    and why: a text, which begins with SOMETIMES if it may do it all the same. `size` is that of the runtime's terminal.
    """

    def __init__(self, name, change, keys=(), lacks=None, base="runc-v2", size=None):
        self.name, self.change, self.keys, self.lacks, self.base = name, change, tuple(keys), lacks or {}, base
        self.size = size

    def config(self):
        config = copy.deepcopy(base(self.base))
        self.change(config)
        return config


def base(name, known={}):                   # pylint: disable=dangerous-default-value  # it is a cache
    if name not in known:
        with open(os.path.join(BUNDLES, name + ".json"), encoding="utf-8") as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=["/bin/probe", *PATHS])
        config["linux"].pop("resources", None)
        known[name] = config
    return known[name]


# ---- ways to change a configuration ----------------------------------------

def put(path, value):
    """What sets one key."""
    def change(config):
        *way, last = path.split(".")
        for key in way:
            config = config.setdefault(key, {})
        config[last] = copy.deepcopy(value)
    return change


def all_of(*changes):
    def change(config):
        for step in changes:
            step(config)
    return change


def mounting(*entries):
    return lambda config: config["mounts"].extend(copy.deepcopy(list(entries)))


def without(config, path):
    """Removes a key; "mounts.*.KEY" from the last entry."""
    *way, last = path.split(".")
    for key in way:
        config = config[-1 if key == "*" else key]
    del config[last]


def namespaces(more=(), less=()):
    def change(config):
        config["linux"]["namespaces"] = [item for item in config["linux"]["namespaces"] if item["type"] not in less]
        config["linux"]["namespaces"] += [{"type": kind} for kind in more]
    return change


def joining(kind, file):
    return all_of(namespaces(less=[kind]), lambda config: config["linux"]["namespaces"].append(
        {"type": kind, "path": "/proc/@HOLDER@/ns/" + file}))


def entering(kind, file):
    """The same with a process of that container alone."""
    return all_of(namespaces(less=[kind]), lambda config: config["linux"]["namespaces"].append(
        {"type": kind, "path": "/proc/@NEW:%s@/ns/%s" % (kind, file)}))


def caps(**sets):
    return put("process.capabilities", sets)


def mapped(config):
    namespaces(["user"])(config)
    config["linux"].update(copy.deepcopy(IDS))


def writable(config):
    config["root"]["readonly"] = False


def hook(name, inside=False):
    """Writes its name and the state it gets, as one line."""
    log = "/logs/log" if inside else HERE + "/logs/log"
    return [{"path": "/bin/sh", "args": ["sh", "-c", 'echo "%s $(cat)" >>%s' % (name, log)], "env": ["PATH=/usr/bin:/bin"]}]


LOGS = bind(HERE + "/logs", "/logs", "bind", "rw")
DATA = bind(HERE + "/data", "/data", "bind", "rw")


# ---- the process -----------------------------------------------------------

def capable(number):
    """Root need not have all capabilities."""
    with open("/proc/self/status", encoding="ascii") as file:
        return any(int(line.split()[1], 16) >> number & 1 for line in file if line.startswith("CapEff:"))


CAP_SYS_RESOURCE = 24
RAISES = capable(CAP_SYS_RESOURCE)


def raised(config):
    """Limits as high as the runtime has them, or where it may, higher than that."""
    highest = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1]
               for name in ("NOFILE", "MEMLOCK", "NPROC", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO")}
    config["process"]["rlimits"] = [
        {"type": "RLIMIT_" + name, "soft": limit + RAISES, "hard": limit + RAISES} for name, limit in highest.items()
        if limit != resource.RLIM_INFINITY]



def same(config):
    config["annotations"] = {}


PROCESS = [
    Case("as runc writes it", same, ["ociVersion", "root", "root.path", "mounts", "process", "process.args", "linux",
                                     "linux.namespaces", "root.readonly", "linux.maskedPaths", "linux.readonlyPaths"]),
    Case("as runc writes it for control groups v1", same, base="runc-v1"),
    Case("as crun writes it", same, base="crun-v2"),
    Case("as crun writes it for control groups v1", same, base="crun-v1"),
    Case("another uid and gid", put("process.user", {"uid": 1000, "gid": 1001}),
         ["process.user.uid", "process.user.gid"]),
    Case("a user that is an id alone", put("process.user", {"uid": 4000000, "gid": 0})),
    Case("more groups", put("process.user", {"uid": 7, "gid": 8, "additionalGids": [5, 70000, 8]}),
         ["process.user.additionalGids"]),
    Case("umask", put("process.user", {"uid": 3, "gid": 4, "umask": 0o027}), ["process.user.umask", "process.user"]),
    Case("umask of all bits", put("process.user", {"uid": 0, "gid": 0, "umask": 0o777})),
    Case("environment", put("process.env", ["PATH=/bin", "A=1", "HOME=/nowhere", "EMPTY=", "B=c d=e"]), ["process.env"]),
    Case("no environment", put("process.env", [])),
    Case("program by PATH", all_of(put("process.args", ["probe", *PATHS]), put("process.env", ["PATH=/none:/bin"]))),
    Case("working directory", put("process.cwd", "/etc/directory"), ["process.cwd"]),
    Case("working directory that is missing", all_of(writable, put("process.cwd", "/etc/new/below"))),
    Case("working directory by a symbolic link", put("process.cwd", "/link")),
    Case("capabilities", caps(bounding=BOUND, effective=BOUND[:2], permitted=BOUND[:3], inheritable=BOUND[:2],
                              ambient=BOUND[:1]), ["process.capabilities"]),
    Case("ambient capabilities of another user", all_of(
        put("process.user", {"uid": 1000, "gid": 1000}),
        caps(bounding=BOUND, effective=BOUND, permitted=BOUND, inheritable=BOUND[:2], ambient=BOUND[:2]))),
    Case("capabilities of another user", all_of(put("process.user", {"uid": 1000, "gid": 1000}), caps(
        bounding=BOUND, effective=BOUND, permitted=BOUND, inheritable=BOUND))),
    Case("bounding set alone", caps(bounding=BOUND)),
    Case("empty capabilities", caps(bounding=[], effective=[], permitted=[], inheritable=[], ambient=[])),
    Case("no capabilities", lambda config: config["process"].pop("capabilities")),
    Case("privileges may be gained", put("process.noNewPrivileges", False)),
    Case("no new privileges", put("process.noNewPrivileges", True), ["process.noNewPrivileges"]),
    Case("limits", put("process.rlimits", [{"type": "RLIMIT_" + name, "soft": soft, "hard": hard} for name, soft, hard in (
        ("NOFILE", 100, 200), ("CORE", 0, 4096), ("NPROC", 321, 4321), ("STACK", 1 << 20, 1 << 23),
        ("FSIZE", 1 << 30, 1 << 31), ("AS", 1 << 46, 1 << 47), ("CPU", 100, 200), ("DATA", 1 << 46, 1 << 47),
        ("LOCKS", 10, 20), ("MEMLOCK", 65536, 131072), ("MSGQUEUE", 1000, 2000), ("RSS", 1 << 20, 1 << 21),
        ("RTTIME", 1000, 2000), ("SIGPENDING", 33, 44), *((("NICE", 5, 10), ("RTPRIO", 3, 7)) if RAISES else ()))]),
         ["process.rlimits"]),
    Case("the highest limits, of a user without capabilities", all_of(
        raised, put("process.user", {"uid": 1000, "gid": 1000}), lambda config: config["process"].pop("capabilities"))),
    Case("the highest limits, in a user namespace", all_of(mapped, raised)),
    Case("few files, for the set-up too", put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 4, "hard": 4}]), (),
         {"crun": EARLY, "runc": EARLY}),
    *([Case("the highest limits, with the capability to raise them", all_of(raised, caps(
        bounding=["CAP_SYS_RESOURCE"], effective=["CAP_SYS_RESOURCE"], permitted=["CAP_SYS_RESOURCE"]))),
       Case("less likely to be killed, in a user namespace", all_of(mapped, put("process.oomScoreAdj", -500))),
       Case("less likely to be killed, without capabilities", all_of(
           put("process.oomScoreAdj", -500), lambda config: config["process"].pop("capabilities")))] if RAISES else []),
    Case("a real time scheduler, without capabilities", all_of(
        put("process.scheduler", {"policy": "SCHED_RR", "priority": 9}), put("process.user", {"uid": 1000, "gid": 1000}),
        lambda config: config["process"].pop("capabilities")), (), TOO_OLD),
    Case("real time input and output, without capabilities", all_of(
        put("process.ioPriority", {"class": "IOPRIO_CLASS_RT", "priority": 2}),
        put("process.user", {"uid": 1000, "gid": 1000}), lambda config: config["process"].pop("capabilities")), (), TOO_OLD),
    Case("no limits", lambda config: config["process"].pop("rlimits")),
    Case("likelier to be killed", put("process.oomScoreAdj", 500), ["process.oomScoreAdj"]),
    Case("the first to be killed", put("process.oomScoreAdj", 1000)),
    Case("scheduler", put("process.scheduler", {"policy": "SCHED_BATCH", "nice": 7}), ["process.scheduler"],
         TOO_OLD),
    Case("input and output priority", put("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 6}),
         ["process.ioPriority"], TOO_OLD),
    Case("terminal", put("process.terminal", True), ["process.terminal"]),
    Case("terminal of a size", put("process.terminal", True), (), {
        "crun": "the size is passed on only once it changes", "runc": SIZE}, size=(31, 97)),
    Case("terminal's size", all_of(put("process.terminal", True), put("process.consoleSize", {"height": 41, "width": 123})),
         ["process.consoleSize"], {"runc": SIZE}),
    Case("terminal of another user", all_of(put("process.terminal", True), put("process.user", {"uid": 1000, "gid": 1001}))),
    Case("terminal in a user namespace", all_of(mapped, put("process.terminal", True))),
    Case("an affinity that is not for this process", put("process.execCPUAffinity", {"initial": "0", "final": "0"})),
]

# ---- what is around it -------------------------------------------------------

FILTER = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
          "syscalls": [{"names": ["setpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}

UNBINDABLE = "it binds to cover paths, where it has made all unbindable"

LINUX = [
    Case("a root that can be written to", writable),
    Case("host name", put("hostname", "other.name"), ["hostname"]),
    Case("domain name", put("domainname", "domain.name"), ["domainname"], {"runc": OLD}),
    Case("filter", put("linux.seccomp", FILTER), ["linux.seccomp"]),
    Case("filter, with new privileges", all_of(put("linux.seccomp", FILTER), put("process.noNewPrivileges", False))),
    Case("filter of flags", put("linux.seccomp", dict(FILTER, flags=["SECCOMP_FILTER_FLAG_LOG"])), (), {"runc": OLD}),
    Case("personality", put("linux.personality", {"domain": "LINUX32"}), ["linux.personality"], {"runc": OLD}),
    Case("memory policy", put("linux.memoryPolicy", {"mode": "MPOL_INTERLEAVE", "nodes": "0"}), ["linux.memoryPolicy"],
         TOO_OLD),
    Case("parameters of the network", put("linux.sysctl", {"net.ipv4.ip_forward": "1"}), ["linux.sysctl"]),
    Case("parameters of queues", put("linux.sysctl", {"kernel.msgmax": "4321", "fs.mqueue.msg_max": "12"})),
    Case("no masked paths", put("linux.maskedPaths", [])),
    Case("masked paths", put("linux.maskedPaths", ["/etc/secret", "/etc/directory", "/proc/kcore", "/none"])),
    Case("no read-only paths", put("linux.readonlyPaths", [])),
    Case("read-only paths", all_of(writable, mounting(DATA), put("linux.readonlyPaths", [
        "/etc/secret", "/data/inner", "/proc/sys", "/none", "/tmp"]))),
    Case("devices", put("linux.devices", [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 12, "gid": 34},
        {"path": "/dev/block", "type": "b", "major": 7, "minor": 200, "fileMode": 0o600, "uid": 5, "gid": 6},
        {"path": "/dev/queue", "type": "p", "fileMode": 0o622, "uid": 1, "gid": 2},
        {"path": "/dev/modeless", "type": "c", "major": 1, "minor": 3}]), ["linux.devices"]),
    Case("a default device otherwise", put("linux.devices", [
        {"path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 3, "gid": 4}])),
    Case("a device in a directory", put("linux.devices", [
        {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 0o666, "uid": 0, "gid": 0}])),
    *[Case("root's propagation %s" % word, put("linux.rootfsPropagation", word),
           ["linux.rootfsPropagation"] if word == "shared" else [],
           {"crun": UNBINDABLE, "runc": UNBINDABLE} if word == "runbindable" else {})
      for word in ("private", "slave", "shared", "unbindable", "rprivate", "rslave", "rshared", "runbindable")],
    *[Case("the host's %s namespace" % kind, all_of(
        namespaces(less=[kind]), lambda config, kind=kind: config.pop("hostname") if kind == "uts" else None))
      for kind in ("ipc", "network", "uts", "cgroup", "pid")],
    *[Case("%s namespace of another process" % kind, all_of(
        joining(kind, file), lambda config, kind=kind: config.pop("hostname") if kind == "uts" else None))
      for kind, file in (("ipc", "ipc"), ("network", "net"), ("uts", "uts"), ("cgroup", "cgroup"))],
    Case("a user namespace", mapped, ["linux.uidMappings", "linux.gidMappings"]),
    *[Case("%s namespace of another process" % kind, entering(kind, file), (), lacks)
      for kind, file, lacks in (("mount", "mnt", {}), ("pid", "pid", {}), ("time", "time", TOO_OLD),
                                ("user", "user", {"runc": "it wants its id maps, too"}))],
    Case("user namespace of another process, and its maps", all_of(
        entering("user", "user"), lambda config: config["linux"].update(copy.deepcopy(IDS)))),
    Case("a user namespace, another user", all_of(mapped, put("process.user", {
        "uid": 1000, "gid": 1001, "additionalGids": [5]}))),
    Case("a user namespace with devices", all_of(mapped, put("linux.devices", [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666, "uid": 0, "gid": 0}]))),
    Case("a user namespace with binds", all_of(mapped, mounting(DATA))),
    Case("a time namespace", all_of(namespaces(["time"]), put("linux.timeOffsets", {
        "monotonic": {"secs": 86400}, "boottime": {"secs": 864000}})), ["linux.timeOffsets"], TOO_OLD),
]

# ---- hooks ---------------------------------------------------------------------

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def one_hook(kind):
    return all_of(mounting(LOGS), put("hooks", {kind: hook(kind, kind == "startContainer")}))


HOOKS = [
    *[Case("hook %s" % kind, one_hook(kind), ["hooks." + kind]) for kind in KINDS],
    Case("all hooks", all_of(mounting(LOGS), put("hooks", {kind: hook(kind, kind == "startContainer") for kind in KINDS})),
         ["hooks"]),
    Case("annotations", all_of(one_hook("createRuntime"), put("annotations", {"org.example.key": "value"})),
         ["annotations"]),
]


# ---- mounts --------------------------------------------------------------------

def tmpfs(destination, *options, **more):
    return dict(entry(destination, "tmpfs", *options), **more)


MOUNTS = [
    Case("a directory bound", mounting(DATA), ["mounts.*.destination", "mounts.*.source"]),
    Case("a tmpfs", mounting(tmpfs("/data", "size=1m", "mode=0711", "nr_inodes=1000", "uid=5", "gid=6")),
         ["mounts.*.type", "mounts.*.options"]),
    Case("a tmpfs without a mode", mounting(tmpfs("/tmp"))),
    Case("a tmpfs with a source", mounting(tmpfs("/tmp", source="named"))),
    Case("a tmpfs that is read-only", mounting(tmpfs("/tmp", "ro"))),
    Case("a mount in a read-only tmpfs", all_of(mounting(tmpfs("/tmp", "ro")), mounting(tmpfs("/tmp/new/below")))),
    Case("a file bound", mounting(bind(HERE + "/data/file", "/etc/secret", "bind", "ro"))),
    Case("a file bound on nothing", all_of(writable, mounting(bind(HERE + "/data/file", "/etc/new/file", "bind")))),
    Case("a tree bound", mounting(bind(HERE + "/tree", "/data", "rbind"))),
    Case("a tree bound without what is below", mounting(bind(HERE + "/tree", "/data", "bind"))),
    Case("a tree read-only at the top", mounting(bind(HERE + "/tree", "/data", "rbind", "ro"))),
    Case("a relative source", mounting(bind("../data", "/data", "bind"))),
    Case("a destination that is missing", all_of(writable, mounting(tmpfs("/new/deep/place")))),
    Case("a destination by a symbolic link", mounting(tmpfs("/link"))),
    Case("a relative destination", mounting(tmpfs("tmp"))),
    Case("one mount over another", mounting(tmpfs("/data", "size=1m"), DATA)),
    Case("a bind in a bind", mounting(DATA, bind(HERE + "/data/inner", "/data/inner", "bind", "ro"))),
    Case("no control groups", lambda config: config["mounts"].pop()),
    Case("the host's proc", all_of(namespaces(less=["pid"]), lambda config: config["mounts"].__setitem__(
        0, bind("/proc", "/proc", "rbind")))),
    Case("a remount", mounting(tmpfs("/tmp", "size=1m"), tmpfs("/tmp", "remount", "nosuid", "ro")), []),
    Case("a bind, id-mapped", mounting(dict(bind(HERE + "/data", "/ids", "bind"), **{
        "uidMappings": extents("0:7:1,7:1000:1"), "gidMappings": extents("0:8:1,8:1000:1")})),
         ["mounts.*.uidMappings", "mounts.*.gidMappings"], {"runc": OLD}),
]

# Of the table of options: what stands before an option, so that it changes something; and who cannot do it.
UNDO = {"crun": "what an earlier option has set stays"}
BOTH = {"crun": "what an earlier option has set stays", "runc": "what an earlier option has set stays"}
SHARING = {"crun": "all propagation is taken away afterwards"}
TIMES = {"crun": "the kernel refuses its flags"}
TIMES_BOTH = {"crun": "the kernel refuses its flags", "runc": "what an earlier option has set stays"}
UNKNOWN = {"crun": "it does not know the word"}
OPTIONS = {
    "async": ("sync", UNDO), "atime": ("noatime", UNDO), "dev": ("nodev", UNDO), "diratime": ("nodiratime", UNDO),
    "exec": ("noexec", UNDO), "nolazytime": ("lazytime", {}),
    "nostrictatime": ("strictatime", UNDO), "relatime": ("noatime", BOTH), "rw": ("ro", UNDO), "suid": ("nosuid", UNDO),
    "symfollow": ("nosymfollow", UNKNOWN), "dirsync": ("", {}), "lazytime": ("", {}), "noatime": ("", {}), "nodev": ("", {}),
    "nodiratime": ("", {}), "noexec": ("", {}), "nosuid": ("", {}), "nosymfollow": ("", UNKNOWN), "ro": ("", {}),
    "strictatime": ("", {}), "sync": ("", {}), "private": ("shared", UNDO), "shared": ("", SHARING),
    "unbindable": ("", SHARING), "tmpcopyup": ("", {}),
}
OF_TREES = {
    "ratime": ("rnoatime", TIMES_BOTH), "rdev": ("rnodev", BOTH), "rdiratime": ("rnodiratime", TIMES_BOTH),
    "rexec": ("rnoexec", BOTH), "rnoatime": ("", TIMES), "rnodev": ("", {}), "rnodiratime": ("", TIMES), "rnoexec": ("", {}),
    "rnostrictatime": ("rstrictatime", TIMES_BOTH), "rnosuid": ("", {}), "rnosymfollow": ("", UNKNOWN), "rro": ("", {}),
    "rrw": ("rro", BOTH), "rrelatime": ("rnoatime", TIMES_BOTH), "rstrictatime": ("", TIMES), "rsuid": ("rnosuid", BOTH),
    "rsymfollow": ("rnosymfollow", {"runc": "what an earlier option has set stays"}),
    "slave": ("shared", UNDO), "rprivate": ("shared", UNDO), "rshared": ("", SHARING), "rslave": ("shared", UNDO),
    "runbindable": ("", SHARING),
}
CHANGES_NOTHING = {"defaults": {"runc": "it does not know the word"}, "loud": UNKNOWN, "silent": UNKNOWN,
                   "noiversion": UNKNOWN, "nomand": {}, "norelatime": {}, "rnorelatime": {}}
# Those without which there is another mount, or none.
KINDS_OF_MOUNT = {
    "bind": (mounting(dict(bind(HERE + "/data", "/data", "bind"), type="none")), {}),
    "rbind": (mounting(dict(bind(HERE + "/tree", "/data", "rbind"), type="none")), {}),
    "remount": (mounting(tmpfs("/tmp", "size=1m"), tmpfs("/tmp", "ro", "remount")), {}),
    "idmap": (all_of(mapped, mounting(bind(HERE + "/data", "/data", "bind", "idmap"))), {"runc": OLD}),
    "ridmap": (all_of(mapped, mounting(bind(HERE + "/tree", "/data", "rbind", "ridmap"))), {"crun": OLD, "runc": OLD}),
}


def option_cases():
    for name, (first, lacks) in OPTIONS.items():
        yield Case("option " + name, mounting(tmpfs("/etc/directory", *first.split(), name)), [name], lacks)
    for name, (first, lacks) in OF_TREES.items():
        yield Case("option " + name, mounting(bind(HERE + "/tree", "/data", "rbind", *first.split(), name)), [name], lacks)
    for name, (change, lacks) in KINDS_OF_MOUNT.items():
        yield Case("option " + name, change, [name], lacks)
    for name, lacks in CHANGES_NOTHING.items():
        yield Case("option " + name, mounting(tmpfs("/tmp", name)), (), lacks)


GROUPS = {"process": PROCESS, "surroundings": LINUX, "hooks": HOOKS, "mounts": MOUNTS, "options": list(option_cases())}
CASES = [case for group in GROUPS.values() for case in group]
