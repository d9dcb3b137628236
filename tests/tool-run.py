# SPDX-License-Identifier: MIT
"""`syncdemo run`: bundles from start to exit: its options, its exit status, what it refuses, many at once, and bundles
that others wrote.

The root file system is busybox and tests/support/probe.c, which tells what it sees of itself. Prints TAP.
"""
import contextlib
import glob
import json
import os
import signal
import stat
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import (FIRST, MAP, NAMESPACES, PROC, configuration, fails, fine, mask, namespace_numbers, prepared, read, run,
                 shell, start)
from processes import children, descendants, wait_for
from tool import bind, contains, equal, extents, ok

BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")
WARNING = "syncdemo: warning: config.json: %s: cgroups are not managed\n"


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


def pid_file(place):
    """--pid-file: complete when the program starts, replaces another, nothing beside it, gone with a failed start"""
    path = place.file("pids/pid", "something that is longer than a number\n")
    process = start(place, configuration("sh", "-c", "echo ready; read line; exit 3"), "--pid-file", path,
                    stdin=subprocess.PIPE)
    equal(process.stdout.readline(), "ready\n")
    pid = int(read(path))
    ok(pid in children(process.pid), "%d is no child of %d" % (pid, process.pid))
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
    equal(fine(place, config, err=WARNING % "linux.resources"), "")
    del config["linux"]["resources"]
    equal(fine(place, config, err=WARNING % "linux.cgroupsPath"), "")
    config["linux"].update(cgroupsPath="", resources={})
    equal(fine(place, config), "")


# ---- many, and real ones -----------------------------------------------------------

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
        host, uid, comm, probed = fine(place, config, err=warned).split("\n", 3)
        inside = json.loads(probed)
        equal((host, uid, comm), (config["hostname"], "0", "sh"))
        equal((inside["no_new_privs"], inside["rlimits"]["RLIMIT_NOFILE"]), (1, [1024, 1024]))
        equal(inside["caps"]["bounding"], mask(5, 10, 29))
        points = [line.split()[4] for line in inside["mountinfo"].splitlines()]
        equal([entry["destination"] for entry in config["mounts"] if entry["destination"] not in points], [])
        own = namespace_numbers()
        kinds = {dict(NAMESPACES, user="user")[entry["type"]] for entry in config["linux"]["namespaces"]}
        equal({kind for kind in own if own[kind] != inside["namespaces"][kind]}, kinds)


TESTS = [exit_status, pid_file, trace, working_directory, child_errors, refused, control_groups, hundred, written_by_others]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
