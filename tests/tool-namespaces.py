# SPDX-License-Identifier: MIT
"""`syncdemo run`: namespaces that exist already. tool-namespaces-mounts.py has those of mounts, tool-clocks.py new ones of
time. Prints TAP.
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
import tap
import tool
from box import FIRST, MAP, PROC, configuration, fails, fill, fine, namespace_numbers, ordinary, run, seen, shell
from container import entry, mounted, over
from elsewhere import FILES, FLAGS, elsewhere, joining
from tool import Skip, bind, equal, extents, need_root, ok


# ---- joined ------------------------------------------------------------------------

def each_kind(place):
    """a namespace of each kind by its path, alone: the container is in it, and in no other"""
    own = namespace_numbers()
    for kind in FLAGS:
        with elsewhere(kind) as pid:
            os.chmod(place.path, 0o755)
            inside = seen(place, joining(pid, kind), "namespaces")["namespaces"]
            equal((kind, inside[FILES[kind]]), (kind, namespace_numbers(pid)[FILES[kind]]))
            equal((kind, {other for other in inside if inside[other] != own[other]}), (kind, {"mnt", FILES[kind]}))


def together(place):
    """all kinds at once, a user namespace with those that are its own, and one of the host's with a new user namespace"""
    kinds = tuple(FLAGS)
    with elsewhere(*kinds) as pid:
        os.chmod(place.path, 0o755)
        inside = seen(place, joining(pid, *kinds), "namespaces", "uids")
        theirs = namespace_numbers(pid)
        equal({kind: inside["namespaces"][kind] for kind in theirs if kind != "mnt"},
              {kind: theirs[kind] for kind in theirs if kind != "mnt"})
        equal(inside["uids"], [0, 0, 0])
    with elsewhere("network", "uts") as pid:
        config = joining(pid, "network", "uts", new=("mount", "pid", "user"))
        config["linux"].update(uidMappings=MAP, gidMappings=MAP)
        inside = seen(place, config, "namespaces", "uid_map")
        theirs, own = namespace_numbers(pid), namespace_numbers()
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


def move(group):
    with open(group + "/cgroup.procs", "w", encoding="ascii") as file:
        file.write("0")


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
        theirs = namespace_numbers(pid)
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


TESTS = [each_kind, together, with_proc, own_ones, of_groups, no_namespaces, mapped_by_path, joined_by_ordinary_user,
         from_parent]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
