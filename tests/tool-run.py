# SPDX-License-Identifier: MIT
"""`syncdemo run`: bundles from start to exit, each option checked from inside.

The root file system is busybox and tests/support/probe.c, which tells what it sees of itself. Prints TAP.
"""
import contextlib
import glob
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tool
from tool import Skip, bind, contains, equal, extents, need_root, ok, one_line

PROBE = os.path.join(tool.BUILD, "tests", "support", "probe")
BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")
APPLETS = "cat chmod echo id kill ls mkdir nc readlink sh sleep stat touch true".split()
NAMESPACES = {"pid": "pid", "network": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup"}
WARNING = "syncdemo: warning: config.json: %s: cgroups are not managed\n"
FIRST = 100000          # what the user namespaces of the tests begin with
MAP = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
PROC = {"destination": "/proc", "type": "proc", "source": "proc"}
FORWARDED = ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2")


# ---- bundles ---------------------------------------------------------------------

def is_static(path):
    """An ELF file that names no interpreter."""
    with open(path, "rb") as file:
        return b"/ld-" not in file.read(4096)


def fill(place):
    """A root file system that needs no library."""
    busybox = shutil.which("busybox")
    if not busybox or not is_static(busybox):
        raise Skip("no static busybox")
    if not os.path.exists(PROBE):
        raise Skip("tests/support/probe is not built")
    binaries = place.file("bundle/rootfs/bin/")
    shutil.copy(busybox, binaries + "/busybox")
    shutil.copy(PROBE, binaries + "/probe")
    for name in APPLETS:
        os.symlink("busybox", binaries + "/" + name)
    for name in ("proc", "dev", "sys", "tmp"):
        place.file("bundle/rootfs/%s/" % name)
    # For a shell that starts something in the background.
    os.chmod(place.file("bundle/rootfs/dev/null"), 0o666)


def configuration(*args, mapped=False, **process):
    """All namespaces but the user's, which is @mapped, /proc, and a program; "process" in keywords."""
    kinds = [*NAMESPACES, *(["user"] if mapped else [])]
    config = {
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs"},
        "process": {"args": list(args), "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}, **process},
        "mounts": [PROC],
        "linux": {"namespaces": [{"type": kind} for kind in kinds]},
    }
    if mapped:
        config["linux"].update(uidMappings=MAP, gidMappings=MAP)
    return config


def shell(script, **kwargs):
    return configuration("sh", "-c", script, **kwargs)


def prepared(place, config, ordinary=False):
    """The bundle, filled at the first call."""
    if not ordinary:
        need_root("start containers")
    if not os.path.exists(place.rootfs + "/bin/probe"):
        fill(place)
    if tool.ROOT and any(entry["type"] == "user" for entry in config.get("linux", {}).get("namespaces") or []):
        os.chmod(place.path, 0o755)
        os.chown(place.rootfs, FIRST, FIRST)
    return place.write(config)


def start(place, config, *options, command=(tool.TOOL,), **kwargs):
    return tool.start([*command, "run", "--bundle", prepared(place, config), *options, "test"], **kwargs)


def run(place, config, *options, **kwargs):
    return tool.finish(start(place, config, *options, **kwargs))


def fine(result, err=""):
    """What a container printed that ended well, and in silence."""
    equal((result.code, result.err), (0, err))
    return result.out


def seen(place, config, *keys, err="", **kwargs):
    """What the probe says, as a dict."""
    config["process"]["args"] = ["/bin/probe", *keys]
    return json.loads(fine(run(place, config, **kwargs), err))


def fails(place, config, *parts, options=(), **kwargs):
    """A run that is a failure of our own: exit status 1, one line."""
    result = run(place, config, *options, **kwargs)
    line = one_line(result.err)
    equal((line, result.code, result.out), (line, 1, ""))
    contains(line, *parts)


def own_namespaces(pid="self"):
    return {kind: os.stat("/proc/%s/ns/%s" % (pid, kind)).st_ino for kind in (*NAMESPACES.values(), "user", "time")}


def wait_for(condition, what, timeout=tool.TIMEOUT, pause=0.005):
    end = time.monotonic() + timeout
    while not condition():
        ok(time.monotonic() < end, "no " + what)
        time.sleep(pause)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def alive(pid):
    with contextlib.suppress(OSError):
        return read("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()[0] != "Z"
    return False


# ---- what the process is -----------------------------------------------------------

def plain(place):
    """args, env, cwd; descriptors 0, 1, 2 and no more; nothing of the caller's signals, session and mask but what is kept"""
    def careless():
        os.umask(0o027)
        os.dup2(1, 77)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD])
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)

    config = configuration(env=["PATH=/bin", "A=1 2", "EMPTY="])
    inside = seen(place, config, "args", "env", "ids", "cwd", "descriptors", "signals", "umask", "groups", "keepcaps",
                  preexec_fn=careless, restore_signals=False, close_fds=False)
    equal(inside["args"][0], "/bin/probe")
    equal(inside["env"], ["PATH=/bin", "A=1 2", "EMPTY=", "HOME=/"])
    equal(inside["ids"], {"pid": 1, "ppid": 0, "pgid": 1, "sid": 1})
    equal(sorted(inside["descriptors"]), ["0", "1", "2"])
    equal(inside["signals"], {"blocked": [], "ignored": []})
    equal((inside["cwd"], inside["umask"], inside["groups"], inside["keepcaps"]), ("/", 0o027, [], 0))


def program_by_path(place):
    """a program is looked for in the container's own PATH"""
    config = shell("echo $0 $1")
    config["process"].update(args=["there", "x"], env=["PATH=/none:/opt:/bin"])
    prepared(place, config)
    os.chmod(place.file("bundle/rootfs/opt/there", "#!/bin/sh\necho \"$0\" $1\n"), 0o755)
    equal(fine(run(place, config)), "/opt/there x\n")


def closed_streams(place):
    """started without standard streams"""
    def close():
        for fd in range(3):
            os.close(fd)

    config = shell("for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done >/tmp/out")
    equal(run(place, config, preexec_fn=close), (0, "", ""))
    # In the first line, 1 is the file itself.
    equal([line.rsplit("/", 1)[-1] for line in read(place.rootfs + "/tmp/out").splitlines()], ["null", "out", "null"])


def namespaces(place):
    """each namespace alone, beside the mount namespace"""
    own = own_namespaces()
    for kind, name in NAMESPACES.items():
        config = configuration()
        # A procfs shows one PID namespace, so that there it is the host's.
        config["mounts"] = [bind("/proc", "/proc", "rbind")]
        config["linux"]["namespaces"] = [{"type": "mount"}] + ([{"type": kind, "path": ""}] if kind != "mount" else [])
        inside = seen(place, config, "namespaces")["namespaces"]
        equal({other for other in inside if inside[other] != own[other]}, {"mnt", name})


def loopback(place):
    """a network namespace has its loopback interface up"""
    for mapped in (False, True):
        contains(fine(run(place, shell("ip link show lo", mapped=mapped))), "LOOPBACK,UP")


def names(place):
    """hostname and domainname"""
    config = configuration()
    config.update(hostname="box", domainname="example.org")
    inside = seen(place, config, "hostname", "domainname")
    equal(inside, {"hostname": "box", "domainname": "example.org"})
    ok(os.uname().nodename != "box", "the host's name changed")


def user(place):
    """ids, groups, umask"""
    inside = seen(place, configuration(user={"uid": 1000, "gid": 1001, "umask": 0o057, "additionalGids": [7, 5, 1001]}),
                  "uids", "gids", "groups", "umask")
    equal(inside, {"uids": [1000] * 3, "gids": [1001] * 3, "groups": [5, 7, 1001], "umask": 0o057})
    inside = seen(place, configuration(user={}), "uids", "gids", "groups")
    equal(inside, {"uids": [0] * 3, "gids": [0] * 3, "groups": []})


def mask(*numbers):
    return "%016x" % sum(1 << number for number in numbers)


CHOWN, KILL, SETGID, BIND = ("CAP_CHOWN", 0), ("CAP_KILL", 5), ("CAP_SETGID", 6), ("CAP_NET_BIND_SERVICE", 10)


def capabilities(place):
    """the five sets, for root and for a user; none without the key; ambient ones that the kernel cannot grant"""
    def got(sets, uid=0):
        config = configuration(user={"uid": uid, "gid": uid})
        if sets is not None:
            config["process"]["capabilities"] = {name: [capability[0] for capability in some] for name, some in sets.items()}
        return seen(place, config, "caps", "securebits")

    def wanted(**sets):
        return {"caps": {name: mask(*(number for _, number in sets.get(name, ()))) for name in
                         ("effective", "permitted", "inheritable", "bounding", "ambient")}, "securebits": 0}

    for uid in (0, 1000):
        equal(got(None, uid), wanted())
        equal(got({}, uid), wanted())
    everything = {name: [CHOWN, KILL, BIND] for name in wanted()["caps"]}
    for uid in (0, 1000):
        equal(got(everything, uid), wanted(**everything))
    # Root gets at its execution what is in the bounding set, a user what is ambient.
    some = {"bounding": [CHOWN, KILL, SETGID], "permitted": [CHOWN, KILL], "effective": [KILL], "inheritable": [CHOWN]}
    equal(got(some), wanted(bounding=some["bounding"], permitted=some["bounding"], effective=some["bounding"],
                            inheritable=[CHOWN]))
    equal(got(some, 1000), wanted(bounding=some["bounding"], inheritable=[CHOWN]))
    # As `runc spec` writes it.
    some = {name: [CHOWN, KILL] for name in ("bounding", "permitted", "effective", "ambient")}
    equal(got(some, 1000), wanted(bounding=[CHOWN, KILL]))


def capabilities_not_granted(place):
    """what nobody will be granted is left out, in one line: unknown here, beyond another set, what the runtime has not"""
    def told(sets, mapped=False, front=(), granted=None):
        config = configuration("/bin/probe", "caps", mapped=mapped, capabilities=sets)
        result = run(place, config, command=(*front, tool.TOOL))
        equal((result.code, len(result.err.splitlines()) < 2), (0, True))
        if granted is not None:
            equal(json.loads(result.out)["caps"]["bounding"], mask(granted))
        return result.err[len("syncdemo: warning: config.json: process.capabilities"):-1]

    sets = {"bounding": ["CAP_CHOWN", "CAP_OF_2099"], "effective": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_CHOWN"],
            "inheritable": ["CAP_SETUID"], "ambient": ["CAP_CHOWN", "CAP_NONE"]}
    wanted = ": not granted here: bounding[1] CAP_OF_2099, effective[0] CAP_KILL, inheritable[0] CAP_SETUID, ambient[1] CAP_NONE"
    for mapped in (False, True):
        equal(told(sets, mapped, granted=0), wanted)
    many = told({"bounding": ["CAP_" + "A" * 500] * 1000})
    contains(many, "bounding[0] CAP_AAAA", ", and others")
    ok(len(many) < 600, many)
    # The kernel lets whoever has CAP_MKNOD make and open any device: there is no group of devices to forbid it.
    every = {name: ["CAP_MKNOD"] for name in ("bounding", "effective", "permitted", "inheritable")}
    text = told(every, granted=27)
    contains(text, ".bounding: CAP_MKNOD: ", "linux.resources.devices")
    equal(told(every, True, granted=27), "")
    equal(told(dict(every, bounding=[], inheritable=[])), "")
    if not shutil.which("setpriv"):
        raise Skip("no setpriv(1)")
    front = ["setpriv", "--bounding-set=-mknod"]
    equal(told(every, front=front, granted=None), ": not granted here: bounding[0] CAP_MKNOD, effective[0] CAP_MKNOD, "
          "inheritable[0] CAP_MKNOD, permitted[0] CAP_MKNOD")
    equal(told(every, True, front, granted=27), "")


def no_new_privileges(place):
    """noNewPrivileges"""
    equal(seen(place, configuration(noNewPrivileges=True), "no_new_privs"), {"no_new_privs": 1})
    equal(seen(place, configuration(noNewPrivileges=False), "no_new_privs"), {"no_new_privs": 0})


def limits(place):
    """rlimits, for root, for a user, and in a user namespace"""
    most = min(128, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    core = {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}
    for mapped in (False, True):
        for uid in (0, 1000):
            config = configuration(mapped=mapped, user={"uid": uid, "gid": uid},
                                   rlimits=[{"type": "RLIMIT_NOFILE", "soft": 64, "hard": most}, core])
            inside = seen(place, config, "rlimits")["rlimits"]
            equal((inside["RLIMIT_NOFILE"], inside["RLIMIT_CORE"]), ([64, most], [0, 0]))
    same = resource.getrlimit(resource.RLIMIT_SIGPENDING)
    config = configuration(rlimits=[{"type": "RLIMIT_SIGPENDING", "soft": 1, "hard": same[1] & (1 << 64) - 1}])
    equal(seen(place, config, "rlimits")["rlimits"]["RLIMIT_SIGPENDING"], [1, same[1] & (1 << 64) - 1])
    fails(place, configuration("true", rlimits=[core, {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 << 40}]),
          "config.json: process.rlimits[1]: prlimit: Operation not permitted")


def oom_score(place):
    """oomScoreAdj"""
    for mapped in (False, True):
        equal(seen(place, configuration(mapped=mapped, oomScoreAdj=17), "oom_score_adj"), {"oom_score_adj": "17\n"})
    result = run(place, configuration("cat", "/proc/self/oom_score_adj", oomScoreAdj=-3))
    if result.code != 0:        # by a root that has no CAP_SYS_RESOURCE
        contains(one_line(result.err), "config.json: process.oomScoreAdj: ", "Permission denied")
    else:
        equal(result, (0, "-3\n", ""))


def directory(place):
    """a working directory that is missing is made, also in a root file system that is read-only then; one only for root"""
    config = configuration(cwd="/new//other/below/", user={"uid": 1000, "gid": 1000})
    config["root"]["readonly"] = True
    equal(seen(place, config, "cwd"), {"cwd": "/new/other/below"})
    status = os.stat(place.rootfs + "/new/other/below")
    equal((stat.S_IMODE(status.st_mode), status.st_uid), (0o755, 0))
    os.chmod(place.file("bundle/rootfs/secret/"), 0o700)
    equal(seen(place, configuration(cwd="/secret", user={"uid": 1000, "gid": 1000}), "cwd"), {"cwd": "/secret"})
    os.symlink("/tmp", place.rootfs + "/link")
    equal(seen(place, configuration(cwd="/link"), "cwd"), {"cwd": "/tmp"})


def user_namespace(place):
    """in a user namespace: maps, ids inside and outside, groups, capabilities"""
    own = own_namespaces()
    config = configuration(mapped=True, user={"uid": 5, "gid": 6, "additionalGids": [7]})
    inside = seen(place, config, "uids", "gids", "groups", "uid_map", "gid_map", "setgroups", "namespaces")
    equal((inside["uids"], inside["gids"], inside["groups"]), ([5] * 3, [6] * 3, [7]))
    equal((inside["uid_map"].split(), inside["gid_map"].split()), (["0", str(FIRST), "65536"],) * 2)
    equal(inside["setgroups"], "allow\n")
    equal({name for name in own if inside["namespaces"][name] != own[name]}, {*NAMESPACES.values(), "user"})
    config = configuration(mapped=True)
    sets = {name: ["CAP_SYS_ADMIN"] for name in ("bounding", "permitted", "effective")}
    config["process"]["capabilities"] = sets
    equal(seen(place, config, "caps")["caps"]["effective"], mask(21))
    config = shell("touch /tmp/mine; stat -c %u:%g /tmp/mine", mapped=True)
    os.chmod(place.rootfs + "/tmp", 0o777)
    equal(fine(run(place, config)), "0:0\n")
    status = os.stat(place.rootfs + "/tmp/mine")
    equal((status.st_uid, status.st_gid), (FIRST, FIRST))


def several_extents(place):
    """a user namespace of several extents"""
    config = configuration(mapped=True, user={"uid": 1000, "gid": 1000})
    several = extents("0:%d:10,1000:%d:1,2000:%d:5" % (FIRST, 5, FIRST + 10))
    config["linux"].update(uidMappings=several, gidMappings=several)
    inside = seen(place, config, "uids", "uid_map")
    equal(inside["uids"], [1000] * 3)
    equal(inside["uid_map"].split(), ["0", str(FIRST), "10", "1000", "5", "1", "2000", str(FIRST + 10), "5"])


def ordinary_user(place):
    """as an ordinary user, in a user namespace with a single id"""
    config = shell("id -u; id -g; cat /mnt/file; hostname", mapped=True)
    uid, gid = (65533, 65533) if tool.ROOT else (os.getuid(), os.getgid())
    config["linux"].update(uidMappings=extents("0:%d:1" % uid), gidMappings=extents("0:%d:1" % gid))
    config["mounts"] = [bind(place.data, "/mnt", "rbind", "ro")]
    config["hostname"] = "mine"
    prepared(place, config, ordinary=True)
    program, environment = tool.copy_tool(place)
    for path, _, _ in os.walk(place.bundle):
        os.chown(path, uid, gid)
    process = tool.start([program, "run", "--bundle", place.bundle, "test"], preexec_fn=tool.ordinary_user, env=environment)
    result = tool.finish(process)
    if "clone3: Operation not permitted" in result.err:
        raise Skip("no user namespaces here: " + one_line(result.err))
    equal(result, (0, "0\n0\ncontent\nmine\n", ""))


# ---- how it ends -------------------------------------------------------------------

def exit_status(place):
    """the exit status is the process's, 128 + n for signal n"""
    for status in (0, 1, 7, 255):
        equal(run(place, shell("exit %d" % status)), (status, "", ""))
    config = shell("kill -s $0 $$")
    config["linux"]["namespaces"] = [{"type": "mount"}]
    config["mounts"] = [bind("/proc", "/proc", "rbind")]
    for name in ("TERM", "KILL", "ABRT"):
        config["process"]["args"][3:] = [name]
        equal(run(place, config).code, 128 + getattr(signal, "SIG" + name))


def signals(place):
    """signals are forwarded, to a program that handles them and to one that does not"""
    script = "".join("trap 'echo %s; exit 40' %s\n" % (name, name) for name in FORWARDED)
    for name in FORWARDED:
        process = start(place, shell(script + "echo ready\nwhile true; do sleep 0.02; done"))
        equal(process.stdout.readline(), "ready\n")
        process.send_signal(getattr(signal, "SIG" + name))
        equal(tool.finish(process), (40, name + "\n", ""))
    config = shell("echo ready; exec sleep 30")
    config["linux"]["namespaces"] = [{"type": "mount"}]
    config["mounts"] = []
    process = start(place, config)
    equal(process.stdout.readline(), "ready\n")
    process.send_signal(signal.SIGTERM)
    equal(tool.finish(process), (128 + signal.SIGTERM, "", ""))


def ignored_hangup(place):
    """under nohup, SIGHUP is not forwarded"""
    config = shell("trap 'echo no; exit 1' HUP; trap 'exit 40' TERM\necho ready; while true; do sleep 0.02; done")
    process = start(place, config,
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), restore_signals=False)
    equal(process.stdout.readline(), "ready\n")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    equal(tool.finish(process), (40, "", ""))


def children_of(pid):
    with contextlib.suppress(OSError):
        return [int(child) for child in read("/proc/%d/task/%d/children" % (pid, pid)).split()]
    return []


@contextlib.contextmanager
def hung(place):
    """A directory that no question about is ever answered."""
    need_root("start containers")
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    path = place.file("hung/")
    server = tool.start([*tool.peer("hung_fuse.py"), path])
    try:
        if server.stdout.readline() != "ready\n":
            raise Skip("no FUSE here: " + server.communicate()[1].strip())
        yield path
    finally:
        server.kill()
        server.communicate()
        tool.libc.umount2(path.encode(), 2)


def signal_before(place):
    """a signal before the program has started ends the container"""
    with hung(place) as path:
        for name in FORWARDED:
            config = shell("echo started")
            # It is the parent who asks there; the child could not be killed.
            config["mounts"] = [bind(path + "/below", "/mnt", "bind", "idmap", uids="0:%d:65536" % FIRST)]
            process = start(place, config)
            wait_for(lambda p=process: children_of(p.pid), "container")
            time.sleep(0.05)
            process.send_signal(getattr(signal, "SIG" + name))
            equal(tool.finish(process), (128 + getattr(signal, "SIG" + name), "", ""))


def killed(place):
    """SIGKILL of run ends the container, with all of its processes, also after a change of user"""
    sets = {name: ["CAP_KILL"] for name in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    for process in ({}, {"user": {"uid": 1000, "gid": 1000}}, {"user": {"uid": 1000, "gid": 1000}, "capabilities": sets},
                    {"capabilities": {"bounding": ["CAP_KILL"]}},        # root gets it by the execution
                    {"noNewPrivileges": True}, {"mapped": True}, {"mapped": True, "user": {"uid": 9, "gid": 9}}):
        child = start(place, shell("sleep 30 & sleep 30 & echo ready; wait", **process), "--pid-file", place.path + "/pid")
        equal(child.stdout.readline(), "ready\n")
        pid = int(read(place.path + "/pid"))
        left = [pid, *children_of(pid)]
        equal((len(left), all(map(alive, left))), (3, True))
        child.kill()
        child.communicate(timeout=tool.TIMEOUT)
        wait_for(lambda some=left: not any(map(alive, some)), "end of %r" % (process,))


def killed_early(place):
    """SIGKILL of run at any moment of the start leaves nothing"""
    config = shell("sleep 30")
    prepared(place, config)
    for moment in range(60):
        process = start(place, config)
        time.sleep(moment / 10000)
        process.kill()
        process.communicate(timeout=tool.TIMEOUT)
    equal(tool.left_processes(), 0)


def killed_container(place):
    """a container killed from outside"""
    process = start(place, shell("echo ready; sleep 30"), "--pid-file", place.path + "/pid")
    equal(process.stdout.readline(), "ready\n")
    os.kill(int(read(place.path + "/pid")), signal.SIGKILL)
    equal(tool.finish(process), (128 + signal.SIGKILL, "", ""))


def pid_file(place):
    """--pid-file: complete when the program starts, replaces another, nothing beside it, gone with a failed start"""
    path = place.file("pids/pid", "something that is longer than a number\n")
    process = start(place, configuration("sh", "-c", "echo ready; read line; exit 3"), "--pid-file", path,
                    stdin=subprocess.PIPE)
    equal(process.stdout.readline(), "ready\n")
    pid = int(read(path))
    ok(pid in children_of(process.pid), "%d is no child of %d" % (pid, process.pid))
    process.stdin.close()
    equal(process.wait(tool.TIMEOUT), 3)
    process.stdout.close()
    process.stderr.close()
    equal((os.listdir(place.path + "/pids"), read(path)), (["pid"], str(pid)))
    os.remove(path)
    fails(place, configuration("/none"), "/none", "No such file", options=("--pid-file", path))
    equal(os.listdir(place.path + "/pids"), [])
    place.file("pids/pid", "another's\n")
    fails(place, configuration("true", cwd="/bin/sh"), "process.cwd", options=("--pid-file", path))
    equal(read(path), "another's\n")
    fails(place, configuration("true"), "--pid-file: ", "/none/pid", "No such file",
          options=("--pid-file", place.path + "/none/pid"))
    equal(run(place, configuration("true"), "--pid-file", "relative", cwd=place.path), (0, "", ""))
    fifo = place.path + "/fifo"         # as --pid-file /dev/null would be, for the whole machine
    os.mkfifo(fifo)
    fails(place, configuration("true"), "--pid-file: ", fifo, "no regular file", options=("--pid-file", fifo))
    ok(stat.S_ISFIFO(os.lstat(fifo).st_mode), "replaced")
    ok(int(read(place.path + "/relative")) > 0, "no number")


def trace(place):
    """--trace shows both lanes with times, --trace=FILE JSON lines; neither is seen inside"""
    tool.need_idmap(place)
    config = configuration("/bin/probe", "descriptors")
    config["mounts"].append(bind(place.data, "/mnt", "bind", "idmap", uids="0:%d:65536" % FIRST))
    result = run(place, config, "--trace")
    equal((result.code, sorted(json.loads(result.out)["descriptors"])), (0, ["0", "1", "2"]))
    lines = result.err.splitlines()
    for line, name in zip(lines, ("procMountPlease", "procMountFd", "procHooks", "procHooksDone", "procReady", "procRun")):
        contains(line, name, "child", "parent", " ms ")
    equal(len(lines), 6)
    path = place.path + "/trace"
    equal(run(place, config, "--trace=" + path).err, "")
    events = [json.loads(line) for line in read(path).splitlines()]
    equal([(event["from"], event["type"]) for event in events],
          [("child", "procMountPlease"), ("parent", "procMountFd"), ("child", "procHooks"), ("parent", "procHooksDone"),
           ("child", "procReady"), ("parent", "procRun")])
    equal(run(place, configuration("true"), "--trace=" + place.path + "/none/trace").err,
          "syncdemo: %s/none/trace: open: No such file or directory\n" % place.path)


def working_directory(place):
    """without --bundle, the bundle is the working directory"""
    prepared(place, configuration("echo", "here"))
    equal(tool.run("run", "A_b+c.9-", cwd=place.bundle), (0, "here\n", ""))


# ---- what goes wrong ---------------------------------------------------------------

def child_errors(place):
    """what fails in the child reaches the caller's one line, with its cause"""
    prepared(place, configuration())
    place.file("bundle/rootfs/file")
    os.chmod(place.file("bundle/rootfs/garbage", "\1\2\3\4"), 0o755)
    os.symlink("loop", place.rootfs + "/loop")
    missing = {"destination": "/mnt", "type": "bind", "source": place.path + "/none", "options": ["bind"]}
    wrong = {"destination": "/mnt", "type": "nonefs", "source": "none"}
    for config, *parts in (
            (configuration("/none"), "process.args[0]: /none", "No such file or directory"),
            (configuration("none"), "process.args[0]: none", "No such file or directory"),
            (configuration("/file"), "process.args[0]: /file", "Permission denied"),
            (configuration("true", cwd="/file"), "process.cwd: /file", "chdir", "Not a directory"),
            (configuration("true", cwd="/file/below"), "process.cwd: /file/below", "Not a directory"),
            (configuration("true", cwd="/loop"), "process.cwd: /loop", "symbolic links"),
            (configuration("true", cwd="/proc/self/fd/0"), "process.cwd: /proc/self/fd/0"),
            (configuration("true", mapped=True, user={"uid": 70000, "gid": 0}), "process.user.uid", "setresuid", "Invalid"),
            (configuration("true", mapped=True, user={"uid": 0, "gid": 70000}), "process.user.gid", "setresgid", "Invalid"),
            (configuration("true", mapped=True, user={"uid": 0, "gid": 0, "additionalGids": [70000]}),
             "process.user.additionalGids", "setgroups", "Invalid"),
            (configuration("true") | {"hostname": "x" * 65}, "hostname", "sethostname", "Invalid"),
            (configuration("true") | {"mounts": [PROC, missing]}, "mounts[1]", place.path + "/none", "No such file"),
            (configuration("true") | {"mounts": [PROC, wrong]}, "mounts[1]", "nonefs", "No such device"),
            (configuration("true") | {"root": {"path": "none"}}, "root.path", "/none", "No such file")):
        fails(place, config, "config.json: ", *parts)
    config = configuration("true", mapped=True)
    config["linux"].update(uidMappings=extents("1:%d:10" % FIRST))
    fails(place, config, "config.json: linux.uidMappings: setresuid: Invalid argument")


def refused(place):
    """what run does not do is refused by its path, before anything is started"""
    def changed(**linux):
        config = configuration("echo", "started")
        config["linux"].update(linux)
        return config

    kinds = [{"type": kind} for kind in NAMESPACES]
    no_linux = configuration("true")
    del no_linux["linux"]
    for config, line in (
            (no_linux, "linux: is missing, expected an object"),
            (changed(namespaces=None), "linux.namespaces: is missing, expected an array"),
            (changed(namespaces=[{"type": "pid"}]), "linux.namespaces: expected one of type mount"),
            (changed(namespaces=[{"type": "mount", "path": "/proc/self/ns/mnt"}]),
             "linux.namespaces[0].path: the mount namespace that this program is in, whose root would be the container's"),
            (changed(namespaces=[*kinds, {"type": "user"}]), "linux.uidMappings: is missing for the user namespace"),
            (changed(uidMappings=MAP, gidMappings=MAP), "linux.uidMappings: without a user namespace in linux.namespaces"),
            (changed(namespaces=[{"type": "mount"}]) | {"hostname": "x"},
             "hostname: without a uts namespace in linux.namespaces"),
            (changed() | {"hooks": {"poststop": [{"path": "true"}]}}, "hooks.poststop[0].path: expected an absolute path")):
        result = run(place, config)
        equal(result, (1, "", "syncdemo: config.json: %s\n" % line))
    config = configuration("true", terminal=True)
    fails(place, config, "config.json: process.terminal: true: standard input is no terminal")
    config["process"].update(terminal=False, consoleSize={"height": -1})         # to be ignored
    equal(run(place, config), (0, "", ""))


def control_groups(place):
    """linux.resources and linux.cgroupsPath: one line of warning"""
    config = configuration("true")
    config["linux"].update(cgroupsPath="/x", resources={"devices": []})
    equal(fine(run(place, config), WARNING % "linux.resources"), "")
    del config["linux"]["resources"]
    equal(fine(run(place, config), WARNING % "linux.cgroupsPath"), "")
    config["linux"].update(cgroupsPath="", resources={})
    equal(fine(run(place, config)), "")


# ---- many, and real ones -----------------------------------------------------------

def descendants(pid):
    return {pid}.union(*map(descendants, children_of(pid)))


def all_namespaces():
    """Of all processes that come from here: an orphan is ours, too. What others on this machine do is not counted."""
    found = set()
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            found.update(os.readlink(path) for path in glob.glob("/proc/%d/ns/*" % pid))
    return found


def hundred(place):
    """a hundred at once, with one ID, leave nothing behind: no process, mount, namespace or file"""
    # Each is there until all are, whoever starts them how slowly: a FIFO that nobody writes to is not opened.
    config = shell(": </mnt/end; exit $((RANDOM % 2))", mapped=True)
    config["mounts"].append(bind(place.data, "/mnt"))
    prepared(place, config)
    place.file("bundle/rootfs/mnt/")
    os.mkfifo(place.data + "/end")
    temporary = set(os.listdir("/tmp"))
    before = (tool.mounts(), all_namespaces(), sorted(os.walk(place.path)))
    processes = [tool.start([tool.TOOL, "run", "--bundle", place.bundle, "same"]) for _ in range(100)]
    try:
        kinds = len(config["linux"]["namespaces"])
        wait_for(lambda: len(all_namespaces()) == len(before[1]) + 100 * kinds, "hundred", 6 * tool.TIMEOUT, 0.5)
    finally:
        end = os.open(place.data + "/end", os.O_RDWR | os.O_CLOEXEC)
    try:
        for process in processes:
            result = tool.finish(process, 6 * tool.TIMEOUT)
            ok(result.code in (0, 1) and not result.err, result)
    finally:
        os.close(end)
    equal((tool.mounts(), all_namespaces(), sorted(os.walk(place.path))), before)
    ok(not [name for name in set(os.listdir("/tmp")) - temporary if "syncdemo" in name], "files in /tmp")


def written_by_others(place):
    """what `runc spec` and `crun spec` write, for control groups v1 and v2, as it is but for the terminal and the program"""
    names = sorted(glob.glob(os.path.join(BUNDLES, "*.json")))
    ok(len(names) >= 4, names)
    for name in names:
        config = json.loads(read(name))
        config["process"].update(terminal=False, args=["sh", "-c", "hostname; id -u; cat /proc/1/comm; /bin/probe"])
        for key in ("uidMappings", "gidMappings"):
            for extent in config["linux"].get(key, []):
                extent["hostID"] = FIRST
        warned = WARNING % "linux.resources" if "resources" in config["linux"] else ""
        host, uid, comm, probed = fine(run(place, config), warned).split("\n", 3)
        inside = json.loads(probed)
        equal((host, uid, comm), (config["hostname"], "0", "sh"))
        equal((inside["no_new_privs"], inside["rlimits"]["RLIMIT_NOFILE"]), (1, [1024, 1024]))
        equal(inside["caps"]["bounding"], mask(5, 10, 29))
        points = [line.split()[4] for line in inside["mountinfo"].splitlines()]
        equal([entry["destination"] for entry in config["mounts"] if entry["destination"] not in points], [])
        own = own_namespaces()
        kinds = {dict(NAMESPACES, user="user")[entry["type"]] for entry in config["linux"]["namespaces"]}
        equal({kind for kind in own if own[kind] != inside["namespaces"][kind]}, kinds)


def masked_null(place):
    """a masked file shows the host's null device, whose owner and mode are not the container's"""
    before = os.stat("/dev/null")
    config = shell("chmod 0600 /etc/masked 2>/dev/null || echo refused; echo x >/etc/masked; cat /etc/masked")
    config["linux"]["maskedPaths"] = ["/etc/masked"]
    prepared(place, config)
    place.file("bundle/rootfs/etc/masked", "secret")
    equal(tool.run("run", "--bundle", place.bundle, "test"), (0, "refused\n", ""))
    after = os.stat("/dev/null")
    equal((before.st_mode, before.st_uid, before.st_gid), (after.st_mode, after.st_uid, after.st_gid))


TESTS = [masked_null, plain, program_by_path, closed_streams, namespaces, loopback, names, user, capabilities,
         capabilities_not_granted, no_new_privileges, limits, oom_score, directory, user_namespace, several_extents,
         ordinary_user, exit_status, signals, ignored_hangup, signal_before, killed, killed_early, killed_container,
         pid_file, trace, working_directory, child_errors, refused, control_groups, hundred, written_by_others]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
