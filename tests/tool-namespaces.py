# SPDX-License-Identifier: MIT
"""`syncdemo run`: namespaces that exist already, and the clocks of new ones.

Prints TAP.
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tool
from box import FIRST, MAP, NAMESPACES, PROC, configuration, fails, fill, fine, ordinary, run, seen, shell
from container import entry, mounted, over
from tool import Skip, bind, equal, extents, need_root, ok

FILES = {**NAMESPACES, "user": "user", "time": "time"}
FLAGS = {"pid": "--pid", "network": "--net", "ipc": "--ipc", "uts": "--uts", "cgroup": "--cgroup", "user": "--user",
         "time": "--time"}


def numbers(pid="self"):
    return {kind: os.stat("/proc/%s/ns/%s" % (pid, kind)).st_ino for kind in FILES.values()}


@contextlib.contextmanager
def elsewhere(*kinds, maps="0 %d 65536" % FIRST, by=None):
    """The PID of a process in new namespaces of these kinds, with these ids in a user namespace; or with the one of @by."""
    if not by:
        need_root("make namespaces")
    flags = {"mount": "--mount", **FLAGS}
    command = ["unshare", *(["--map-root-user"] if by else []), *(flags[kind] for kind in kinds),
               *(["--fork"] if "pid" in kinds or "time" in kinds else []),
               "sh", "-c", "echo; exec sleep 60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, preexec_fn=by)
    try:
        if not process.stdout.readline():
            raise Skip("no namespaces here")
        pid = process.pid
        if "pid" in kinds or "time" in kinds:
            with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
                pid = int(file.read())
        if "user" in kinds and not by:
            for name in ("uid_map", "gid_map"):
                with open("/proc/%d/%s" % (pid, name), "w", encoding="ascii") as file:
                    file.write(maps)
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def joining(pid, *kinds, new=("mount",), **kwargs):
    config = configuration(kinds=(), **kwargs)
    config["linux"]["namespaces"] = [{"type": kind} for kind in new] + [
        {"type": kind, "path": "/proc/%d/ns/%s" % (pid, FILES[kind])} for kind in kinds]
    # The host's, whatever namespaces the container is in.
    config["mounts"] = [bind("/proc", "/proc", "rbind")]
    return config


# ---- joined ------------------------------------------------------------------------

def each_kind(place):
    """a namespace of each kind by its path, alone: the container is in it, and in no other"""
    own = numbers()
    for kind in FLAGS:
        with elsewhere(kind) as pid:
            os.chmod(place.path, 0o755)
            inside = seen(place, joining(pid, kind), "namespaces")["namespaces"]
            equal((kind, inside[FILES[kind]]), (kind, numbers(pid)[FILES[kind]]))
            equal((kind, {other for other in inside if inside[other] != own[other]}), (kind, {"mnt", FILES[kind]}))


def together(place):
    """all kinds at once, a user namespace with those that are its own, and one of the host's with a new user namespace"""
    kinds = tuple(FLAGS)
    with elsewhere(*kinds) as pid:
        os.chmod(place.path, 0o755)
        inside = seen(place, joining(pid, *kinds), "namespaces", "uids")
        theirs = numbers(pid)
        equal({kind: inside["namespaces"][kind] for kind in theirs if kind != "mnt"},
              {kind: theirs[kind] for kind in theirs if kind != "mnt"})
        equal(inside["uids"], [0, 0, 0])
    with elsewhere("network", "uts") as pid:
        config = joining(pid, "network", "uts", new=("mount", "pid", "user"))
        config["linux"].update(uidMappings=MAP, gidMappings=MAP)
        inside = seen(place, config, "namespaces", "uid_map")
        theirs, own = numbers(pid), numbers()
        equal({kind for kind in theirs if inside["namespaces"][kind] == theirs[kind] != own[kind]}, {"net", "uts"})
        equal(inside["uid_map"].split(), ["0", str(FIRST), "65536"])
        config["hostname"] = "joined"
        config["process"]["args"] = ["true"]
        fails(place, config, "config.json: hostname: sethostname: Operation not permitted")
        config = joining(pid, "uts")
        config["hostname"] = "joined"
        equal(seen(place, config, "hostname"), {"hostname": "joined"})
    ok(os.uname().nodename != "joined", "the host's name changed")


def with_proc(place):
    """a new procfs shows the joined PID namespace; the container ends when it is killed from outside"""
    with elsewhere("pid") as pid:
        config = joining(pid, "pid")
        config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
        config["process"]["args"] = ["sh", "-c", "cat /proc/1/comm; echo $$"]
        name, number = fine(place, config).split()
        equal(name, "sleep")
        ok(int(number) > 1, number)
        config["process"]["args"] = ["sleep", "31417"]
        process = tool.start([tool.TOOL, "run", "--bundle", place.write(config), "test"])
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        end = time.monotonic() + 5
        children = lambda: [line for line in subprocess.run(["ps", "-eo", "pidns,args"], stdout=subprocess.PIPE, text=True,
                                                           check=True).stdout.splitlines() if "sleep 31417" in line]
        while children() and time.monotonic() < end:
            time.sleep(0.02)
        equal(children(), [])


def own_ones(place):
    """this program's own namespaces: nothing to be joined, and nothing in them is changed"""
    need_root("start containers")
    for kind in ("pid", "network", "ipc", "uts", "cgroup", "time"):
        fine(place, joining(os.getpid(), kind) | {"process": configuration("true")["process"]})
    config = joining(os.getpid(), "uts")
    config["process"]["args"] = ["true"]
    config["hostname"] = "changed"
    fails(place, config,
          "config.json: linux.namespaces[1].path: this program's own, which hostname and domainname would change")
    config = joining(os.getpid(), "network")
    config["process"]["args"] = ["true"]
    config["linux"]["sysctl"] = {"net.core.somaxconn": "77"}
    fails(place, config, "linux.namespaces[1].path: this program's own, which linux.sysctl.net.core.somaxconn would change")
    config = joining(os.getpid(), "user")
    config["process"]["args"] = ["true"]
    fails(place, config, "linux.namespaces[1].path: the user namespace that this program is in")


def table(pid):
    """Its mounts, without the numbers of file systems, which come and go."""
    return [line.split(" ", 3)[3] for line in tool.mounts(pid).splitlines()]


def of_mounts(place):
    """a mount namespace: the container is set up in there, and all who are in it find themselves in the container"""
    tool.need_idmap(place)
    mark = place.file("mark/")
    host = tool.mounts()
    with elsewhere("mount") as pid:
        config = joining(pid, "mount", new=("pid", "ipc"))
        config["mounts"] = [PROC, bind(place.data, "/a"), bind(place.data, "/b", uids="7:5:1", gids="8:6:1")]
        config["process"]["args"] = ["sh", "-c", "readlink /proc/self/ns/mnt; stat -c %u:%g /a/file /b/file; ls /; "
                                     "cat /proc/self/mountinfo"]
        number, plain, mapped, *names = fine(place, config).splitlines()
        equal((number, plain, mapped), ("mnt:[%d]" % numbers_of_mounts(pid), "7:8", "5:6"))
        equal(sorted(name for name in names if " " not in name), sorted(os.listdir(place.rootfs)))
        equal(os.listdir("/proc/%d/root" % pid), os.listdir(place.rootfs))
        equal(table(pid), [line.split(" ", 3)[3] for line in names if " " in line])
        equal(tool.mounts(), host)
    # What it could see alone is the source of a bind.
    with elsewhere("mount") as pid:
        subprocess.run(["nsenter", "-t", str(pid), "-m", "mount", "-t", "tmpfs", "only-there", mark], check=True)
        config = joining(pid, "mount", new=())
        config["mounts"] = [PROC, bind(mark, "/mark")]
        config["process"]["args"] = ["cat", "/proc/self/mountinfo"]
        equal(mounted(fine(place, config))["/mark"][3], "only-there")
    equal(tool.mounts(), host)


def numbers_of_mounts(pid):
    return os.stat("/proc/%d/ns/mnt" % pid).st_ino


def of_mounts_refused(place):
    """a mount namespace that this program or process 1 is in, or that is none; one in which it fails stays as it was"""
    need_root("make namespaces")
    for path, text in (("/proc/self/ns/mnt", "the mount namespace that this program is in"),
                       ("/proc/self/ns/uts", "/proc/self/ns/uts: no mount namespace")):
        config = configuration("echo", "started", kinds=("pid",))
        config["linux"]["namespaces"].append({"type": "mount", "path": path})
        fails(place, config, "config.json: linux.namespaces[1].path: " + text)
    # One of a PID namespace of its own: not always may that of all be opened.
    config["linux"]["namespaces"][1]["path"] = "/proc/1/ns/mnt"
    first = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", 'unshare --mount "$@"; exit $?', "sh"]
    result = tool.finish(tool.start([*first, tool.TOOL, "run", "--bundle", place.write(config), "test"]))
    equal((result.code, tool.one_line(result.err)), (
        1, "config.json: linux.namespaces[1].path: the mount namespace of process 1, whose root would be the container's"))
    with elsewhere("mount") as pid:
        before = table(pid)
        config = joining(pid, "mount", new=("pid",))
        config["process"]["args"] = ["echo", "started"]
        for change in ({"mounts": [PROC, bind(place.data, "/a"), bind("/none", "/b")]},
                       {"hooks": {"createContainer": [{"path": "/bin/false"}]}}):
            fails(place, config | change, "config.json: %s" % next(iter(change)))
            equal(table(pid), before)


def of_mounts_old(place):
    """a mount namespace, where the kernel has no fsmount(2): refused, nothing is mounted in there"""
    deny = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
    need_root("make namespaces")
    if not os.path.exists(deny):
        raise Skip("tests/support/deny-syscall is not built")
    with elsewhere("mount") as pid:
        before = table(pid)
        config = joining(pid, "mount", new=("pid",))
        config["process"]["args"] = ["echo", "started"]
        fill(place)
        command = [deny, "432:ENOSYS", "--", tool.TOOL, "run", "--bundle", place.write(config), "test"]
        result = tool.finish(tool.start(command))
        equal((result.code, result.out), (1, ""))
        tool.contains(tool.one_line(result.err), "config.json: linux.namespaces: a mount namespace that exists: fsmount: ")
        equal(table(pid), before)


def of_groups(place):
    """a cgroup namespace that is not the user namespace's: the container's own group is bound, and none outside of that"""
    need_root("make control groups")
    place.file("bundle/rootfs/sys/fs/cgroup/")
    with over("/sys/fs/cgroup", "cgroup2"):
        here, other = "/sys/fs/cgroup/syncdemo-test-%d" % os.getpid(), "/sys/fs/cgroup/syncdemo-other-%d" % os.getpid()
        with contextlib.ExitStack() as stack:
            for group in (here, other):
                os.mkdir(group)
                stack.callback(os.rmdir, group)
            with open("/proc/self/cgroup", encoding="ascii") as file:
                own = next(line.strip()[3:] for line in file if line.startswith("0::"))
            stack.callback(move, "/sys/fs/cgroup" + own)
            with elsewhere("cgroup") as pid:
                move(here)
                config = joining(pid, "cgroup", new=("mount", "user", "pid"))
                config["linux"].update(uidMappings=MAP, gidMappings=MAP)
                config["mounts"] = [PROC, entry("/sys/fs/cgroup", "cgroup")]
                config["process"]["args"] = ["ls", "/sys/fs/cgroup"]
                text = fine(place, config)
                ok("cgroup.procs" in text and "syncdemo-" not in text, text)
            move(other)
            with elsewhere("cgroup") as pid:
                move(here)
                config["linux"]["namespaces"][-1]["path"] = "/proc/%d/ns/cgroup" % pid
                fails(place, config, "groups outside of the cgroup namespace would show", "Operation not permitted")


def move(group):
    with open(group + "/cgroup.procs", "w", encoding="ascii") as file:
        file.write("0")


def of_mounts_false(place):
    """a mount namespace whose /proc tells of control groups at a place that is none: they are left out"""
    script = """mount -t tmpfs none /sys/fs/cgroup && mount -t tmpfs none /proc && mkdir /proc/thread-self || exit
        echo '1 2 0:99 / nowhere rw - cgroup cgroup rw,cpu' >/proc/thread-self/mountinfo"""
    with elsewhere("mount") as pid:
        subprocess.run(["nsenter", "-t", str(pid), "-m", "sh", "-c", script], check=True)
        config = joining(pid, "mount", new=())
        config["mounts"] = [entry("/sys/fs/cgroup", "cgroup")]
        config["process"]["args"] = ["echo", "started"]
        equal(fine(place, config), "started\n")


def no_namespaces(place):
    """a path that is no namespace of the type: each is refused at once, whatever it is"""
    need_root("start containers")
    os.mkfifo(place.path + "/fifo")
    os.symlink("loop", place.path + "/loop")
    server = socket.socket(socket.AF_UNIX)
    server.bind(place.path + "/socket")
    paths = {place.path + "/fifo": "no namespace", place.data + "/file": "no namespace", place.data: "no namespace",
             place.path + "/socket": "no namespace", "/dev/zero": "no namespace", "/proc/self/status": "no namespace",
             place.path + "/none": "No such file or directory", place.path + "/loop": "Too many levels",
             "/proc/self/ns/net": "no user namespace", "proc/self/ns/user": "expected an absolute path"}
    for path, text in paths.items():
        config = configuration("echo", "started", kinds=("mount",))
        config["linux"]["namespaces"].append({"type": "user", "path": path})
        begin = time.monotonic()
        fails(place, config, "config.json: linux.namespaces[1].path: ", text)
        ok(time.monotonic() - begin < 2 * tool.PATIENCE, path)
    server.close()
    for kind, file in FILES.items():
        if kind != "mount":
            config = configuration("echo", "started", kinds=("mount",))
            other = "/proc/self/ns/" + ("uts" if kind != "uts" else "ipc")
            config["linux"]["namespaces"].append({"type": kind, "path": other})
            fails(place, config, "linux.namespaces[1].path: /proc/self/ns/", ": no %s namespace" % kind)


# ---- a user namespace by path ---------------------------------------------------------

def mapped_by_path(place):
    """id-mapped binds with the map of a user namespace that is given by its path; a map that is given must be its own"""
    tool.need_idmap(place)
    place.file("tree/file", "content\n", (7, 8))
    with elsewhere("user") as pid:
        os.chmod(place.path, 0o755)
        config = joining(pid, "user")
        config["process"]["args"] = ["sh", "-c", "stat -c '%u:%g' /a/file /b/file /c/file"]
        config["mounts"] += [bind(place.path + "/tree", "/a", "bind", "idmap"),
                             bind(place.path + "/tree", "/b", "rbind", "ridmap"),
                             bind(place.path + "/tree", "/c")]
        equal(fine(place, config), "7:8\n7:8\n65534:65534\n")
        trace = place.path + "/trace"
        fine_run = tool.run("run", "--trace=" + trace, "--bundle", place.write(config), "test")
        equal((fine_run.code, fine_run.err), (0, ""))
        with open(trace, encoding="utf-8") as file:
            ok('"userns_path"' in file.read(), "no userns_path on the wire")
        config["linux"].update(uidMappings=MAP, gidMappings=MAP)
        equal(fine(place, config), "7:8\n7:8\n65534:65534\n")
        for other in ("0:%d:65535" % FIRST, "0:%d:65536" % (FIRST + 1), "0:%d:65536,70000:1:1" % FIRST):
            config["linux"]["uidMappings"] = extents(other)
            fails(place, config, "config.json: linux.uidMappings: the user namespace of linux.namespaces has others")
        config["linux"].update(uidMappings=MAP, gidMappings=extents("0:1:1"))
        fails(place, config, "config.json: linux.gidMappings: the user namespace of linux.namespaces has others")


    with elsewhere("user", maps="0 %d 1000\n1000 %d 500\n" % (FIRST, FIRST + 1000)) as pid:
        config = joining(pid, "user")
        config["process"]["args"] = ["true"]
        for text in ("0:%d:1000,1000:%d:500", "1000:%d:500,0:%d:1000"):
            ids = (FIRST, FIRST + 1000) if text[0] == "0" else (FIRST + 1000, FIRST)
            config["linux"].update(uidMappings=extents(text % ids), gidMappings=extents(text % ids))
            equal(fine(place, config), "")
        config["linux"].update(uidMappings=extents("0:%d:1000" % FIRST))
        fails(place, config, "config.json: linux.uidMappings: the user namespace of linux.namespaces has others")


def joined_by_ordinary_user(place):
    """as an ordinary user: namespaces that only the root of a joined user namespace may enter"""
    fill(place)
    with elsewhere("user", "network", "uts", "ipc", by=tool.ordinary_user) as pid:
        theirs = numbers(pid)
        config = configuration("/bin/probe", "namespaces", "uids", kinds=())
        config["mounts"] = [bind("/proc", "/proc", "rbind")]
        config["linux"]["namespaces"] = [{"type": "mount"}] + [{"type": kind, "path": "/proc/%d/ns/%s" % (pid, FILES[kind])}
                                                               for kind in ("network", "uts", "user", "ipc")]
        inside = json.loads(ordinary(place, config))
        equal([inside["namespaces"][kind] for kind in ("net", "uts", "ipc", "user")],
              [theirs[kind] for kind in ("net", "uts", "ipc", "user")])
        equal(inside["uids"], [0, 0, 0])


# ---- file systems that the parent makes ------------------------------------------------

def from_parent(place):
    """in a user namespace with the host's network a new sysfs, with the host's PIDs a new proc: from the parent"""
    need_root("make namespaces")
    if not json.loads(tool.run("features").out)["features"]["open_tree_attr"]:
        raise Skip("no clone of a detached mount below Linux 6.15")
    wanted = {"ro", "nosuid", "nodev", "noexec", "relatime"}
    sysfs = entry("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro")
    script = """cat /proc/self/mountinfo; echo ==; ls /sys/class/net; echo ==; echo 1 > /sys/kernel/mm/ksm/run;
        ls -d /proc/%d; echo 1 > /proc/sys/kernel/pid_max""" % os.getpid()
    config = shell(script, mapped=True, kinds=("mount", "ipc", "uts"), mounts=[sysfs])
    config["linux"]["readonlyPaths"] = ["/proc/sys"]
    result = run(place, config)
    table, interfaces, processes = result.out.split("==\n")
    found = mounted(table)
    equal((found["/sys"][0] | {"relatime"}, found["/sys"][2]), (wanted, "sysfs"))
    equal(sorted(interfaces.split()), sorted(os.listdir("/sys/class/net")))
    equal(processes.split(), ["/proc/%d" % os.getpid()])
    equal(result.err.count("Read-only") + result.err.count("ermission"), 2)
    # The same by the two halves as programs, and none for a container that may make its own.
    trace = place.path + "/trace"
    equal(tool.run("run", "--trace=" + trace, "--bundle", place.write(config), "test").code, 1)
    with open(trace, encoding="utf-8") as file:
        equal([line.count('"/sys"') > 0 for line in file if "procMountPlease" in line], [False, True])
    config = shell("ls /sys/class/net", mapped=True, mounts=[sysfs])
    equal(tool.run("run", "--trace=" + trace, "--bundle", place.write(config), "test"), (0, "lo\n", ""))
    with open(trace, encoding="utf-8") as file:
        ok("procMountPlease" not in file.read(), "asked for a file system that it could make")


# ---- clocks -------------------------------------------------------------------------

def offsets(place):
    """a time namespace and linux.timeOffsets, also with a user namespace"""
    need_root("make namespaces")
    for mapped in (False, True):
        config = configuration(mapped=mapped)
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {"monotonic": {"secs": 86400, "nanosecs": 5}, "boottime": {"secs": 864000}}
        inside = seen(place, config, "clocks", "namespaces")
        for clock, number, offset in (("monotonic", time.CLOCK_MONOTONIC, 86400), ("boottime", time.CLOCK_BOOTTIME, 864000)):
            difference = inside["clocks"][clock] - time.clock_gettime(number)
            ok(abs(difference - offset) < 10, (clock, difference))
        ok(inside["namespaces"]["time"] != numbers()["time"], "the same time namespace")
        del config["linux"]["timeOffsets"]
        inside = seen(place, config, "clocks", "namespaces")
        ok(abs(inside["clocks"]["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC)) < 10, inside)
        ok(inside["namespaces"]["time"] != numbers()["time"], "the same time namespace")


def ordinary_user(place):
    """as an ordinary user: the clocks of a time namespace that belongs to the new user namespace"""
    config = configuration("/bin/probe", "clocks", kinds=("mount", "pid", "user", "time"))
    config["linux"]["timeOffsets"] = {"monotonic": {"secs": 7200}}
    inside = json.loads(ordinary(place, config))
    difference = inside["clocks"]["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC)
    ok(abs(difference - 7200) < 10, difference)


def offsets_refused(place):
    """linux.timeOffsets: without a namespace of its own, for other clocks, out of range"""
    need_root("make namespaces")
    for namespaces, value, text in (
            ((), {"monotonic": {"secs": 1}}, "linux.timeOffsets: without a new time namespace"),
            (({"type": "time", "path": "/proc/self/ns/time"},), {"monotonic": {"secs": 1}}, "without a new time namespace"),
            (({"type": "time"},), {"realtime": {"secs": 1}},
             "linux.timeOffsets.realtime: no clock that a time namespace has"),
            (({"type": "time"},), {"boottime": {"nanosecs": 1000000000}},
             "timeOffsets.boottime.nanosecs: expected 0 to 999999999"),
            (({"type": "time"},), {"boottime": {"secs": -(1 << 60)}},
             "linux.timeOffsets.boottime: /proc/self/timens_offsets: write")):
        config = configuration("echo", "started")
        config["linux"]["namespaces"] += namespaces
        config["linux"]["timeOffsets"] = value
        fails(place, config, "config.json: ", text)


TESTS = [each_kind, together, with_proc, own_ones, of_mounts, of_mounts_refused, of_mounts_old, of_groups, of_mounts_false, no_namespaces,
         mapped_by_path, joined_by_ordinary_user,
         from_parent, offsets, ordinary_user, offsets_refused]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
