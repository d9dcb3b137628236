# SPDX-License-Identifier: MIT
"""`syncdemo run`: nothing of a container is left when it ends, with a PID namespace and without.

Prints TAP.
"""
import contextlib
import errno
import os
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import PROC, configure, need_container
from tool import bind, contains, equal, ok

HOST_PROC = bind("/proc", "/proc", "rbind")
# Without a session, a parent or an open descriptor in common with who started it.
DAEMON = "setsid sh -c '(trap : TERM HUP INT; echo x >>/pids; %s) </dev/null >/dev/null 2>&1 &'\n"
NAMESPACES = ("mount", "mount ipc uts network", "mount pid", "mount user")


def box(place, script, namespaces="mount", uid=0):
    entries = [PROC if "pid" in namespaces else HOST_PROC, bind("/dev", "/dev", "rbind")]
    config = configure(place, script, entries, namespaces)
    config["process"]["user"] = {"uid": uid, "gid": uid}
    if "user" in namespaces:
        os.chmod(place.path, 0o755)
        config["linux"].update(uidMappings=tool.extents("0:100000:65536"), gidMappings=tool.extents("0:100000:65536"))
    pids = place.file("bundle/rootfs/pids")
    os.chmod(pids, 0o666)
    return config


def start(place, config, **kwargs):
    options = ["--bundle", place.write(config), "--pid-file", place.path + "/pid"]
    return tool.start([tool.TOOL, "run", *options, "test"], **kwargs)


def of_container(place):
    """All processes whose root directory is, or was, the container's."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open("/proc/%s/environ" % name, "rb") as file:
                if b"LEFT=" + place.path.encode() + b"\0" in file.read():
                    found.append(int(name))
    return found


def marked(place, config):
    config["process"]["env"].append("LEFT=" + place.path)
    return config


def gone(place, seconds=tool.TIMEOUT):
    end = time.monotonic() + seconds
    while of_container(place):
        ok(time.monotonic() < end, "left: %r" % of_container(place))
        time.sleep(0.01)


def daemons(place):
    """daemons end with the container's first process, whose exit status is the tool's"""
    need_container()
    for namespaces in NAMESPACES:
        for uid in (0, 1000):
            script = (DAEMON % "sleep 60") * 3 + "while [ $(wc -l </pids) -lt 3 ]; do sleep 0.01; done; %s"
            for end, code in (("exit 7", 7), ("kill -KILL $$", 137 if "pid" not in namespaces else 0)):
                result = tool.finish(start(place, marked(place, box(place, script % end, namespaces, uid))))
                equal((result.code, result.out, result.err), (code, "", ""))
                equal(of_container(place), [])


def many_daemons(place):
    """chains of daemons, stopped ones, and some that beget others as fast as they die"""
    need_container()
    chain = "n=0; f() { n=$((n+1)); [ $n -gt 40 ] && sleep 60; (f) & }; f"
    script = (DAEMON % "kill -STOP \\$\\$; sleep 60") + chain + "\n" + \
        "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done\n" \
        "g() { sleep 0.01; (g) & }; g; g; g; sleep 0.3; exit 3"
    result = tool.finish(start(place, marked(place, box(place, script))))
    equal((result.code, result.out, result.err), (3, "", ""))
    equal(of_container(place), [])


def orphans(place):
    """orphans that end while the container goes on are no zombies until its end"""
    need_container()
    script = "i=0; while [ $i -lt 50 ]; do (true &); i=$((i+1)); done; echo ready; sleep 60"
    process = start(place, marked(place, box(place, script)))
    equal(process.stdout.readline(), "ready\n")
    with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as file:
        keeper = int(file.read().split()[0])
    end = time.monotonic() + 2
    children = [0, 0]
    while len(children) > 1 and time.monotonic() < end:
        with open("/proc/%d/task/%d/children" % (keeper, keeper), encoding="ascii") as file:
            children = file.read().split()
    equal(len(children), 1)
    process.terminate()
    equal(tool.finish(process).code, 143)


def stopped_keeper(place):
    """processes of the container's that stop the tool's own: the exit status is told, and nothing is left"""
    need_container()
    result = tool.finish(start(place, marked(place, box(place, "kill -STOP $PPID; exit 5"))))
    equal((result.code, result.err), (5, ""))
    equal(of_container(place), [])


def replaced(place):
    """processes that start a successor and end at once, faster than anybody can tell who is there"""
    need_container()
    config = marked(place, box(place, ""))
    config["process"]["args"] = ["/bin/probe", "replace", "40"]
    begin = time.monotonic()
    result = tool.finish(start(place, config), 3 * tool.TIMEOUT)
    equal((result.code, result.out, result.err), (3, "", ""))
    equal(of_container(place), [])
    ok(time.monotonic() - begin < 5, "they ended by themselves")


TRACED = """
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)     # PR_SET_PTRACER: anybody, where only ancestors may
ready, go = os.pipe()
if os.fork() == 0:
    os.setsid()
    with open("/pids", "a") as file:
        file.write("x")
    if libc.ptrace(0x4206, os.getppid(), 0, 0) < 0:     # PTRACE_SEIZE
        os._exit(1)
    os.write(go, b"x")
    os.close(1)
    os.close(2)
    time.sleep(3600)
os.read(ready, 1)
os._exit(0)
"""


def traced_box(place, script):
    """A container with the host's Python, and the program above."""
    place.file("bundle/rootfs/traced.py", TRACED)
    config = marked(place, box(place, script))
    for name in ("usr", "lib", "lib64"):
        if os.path.islink("/" + name):
            os.symlink(os.readlink("/" + name), place.rootfs + "/" + name)
        else:
            config["mounts"].append(bind("/" + name, "/" + name, "rbind", "ro"))
    return config


def run_traced(place, config, code):
    began = time.monotonic()
    result = tool.finish(start(place, config), 3 * tool.TIMEOUT)
    took = time.monotonic() - began
    equal(result.code, code)
    ok(took < 8 * tool.PATIENCE, "it took %.1f s" % took)
    gone(place, 1)
    return result


def traced_end(place):
    """the first process has ended, and a child that traces it waits for nothing: to others it has not"""
    need_container()
    run_traced(place, traced_box(place, "exec /usr/bin/python3 /traced.py"), 137)   # how it ended is the tracer's to know


def traced_hook(place):
    """the same of a hook, which has a time limit"""
    need_container()
    config = traced_box(place, "echo started")
    hook = {"path": "/usr/bin/python3", "args": ["python3", "/traced.py"], "env": ["LEFT=" + place.path], "timeout": 1}
    config["hooks"] = {"startContainer": [hook]}
    contains(run_traced(place, config, 1).err, "hooks.startContainer[0]")


def killed(place):
    """SIGKILL of the tool ends everything, daemons that lost their parent included"""
    need_container()
    for namespaces in NAMESPACES:
        script = (DAEMON % "sleep 60") * 3 + "while [ $(wc -l </pids) -lt 3 ]; do sleep 0.01; done; echo ready; sleep 60"
        process = start(place, marked(place, box(place, script, namespaces)))
        equal(process.stdout.readline(), "ready\n")
        ok(len(of_container(place)) >= 4, "no daemons")
        process.kill()
        process.communicate(timeout=tool.TIMEOUT)
        gone(place)


def killed_group(place):
    """a signal to the tool's whole process group, or to all that belongs to its terminal, is no other than one to itself"""
    need_container()
    script = "trap 'echo got; exit 5' TERM; echo ready; while true; do sleep 0.01; done"
    process = start(place, marked(place, box(place, script)), start_new_session=True)
    equal(process.stdout.readline(), "ready\n")
    os.killpg(process.pid, signal.SIGTERM)
    result = tool.finish(process)
    equal((result.code, result.out, result.err), (5, "got\n", ""))
    gone(place, 0)


def early(place):
    """SIGKILL of the tool at any moment of the start leaves nothing"""
    need_container()
    config = marked(place, box(place, "sleep 60"))
    for moment in range(50):
        process = start(place, config)
        time.sleep(moment / 5000)
        process.kill()
        process.communicate(timeout=tool.TIMEOUT)
        gone(place)
    equal(tap.left_processes(), 0)


def failed(place):
    """a container that does not come up leaves nothing either, and says why"""
    need_container()
    config = box(place, "")
    config["process"]["args"] = ["/none"]
    result = tool.finish(start(place, config))
    equal((result.code, result.out), (1, ""))
    contains(tool.one_line(result.err), "/none: execve: No such file")
    # Number 435 is clone3().
    deny = os.path.join(tool.BUILD, "tests/support/deny-syscall")
    command = [deny, "435:%d" % errno.EPERM, "--", tool.TOOL, "run", "--bundle", place.bundle, "test"]
    result = tool.finish(tool.start(command))
    equal((result.code, result.err), (1, "syncdemo: config.json: linux.namespaces: clone3: Operation not permitted\n"))
    equal(tap.left_processes(), 0)


def output_ends(place):
    """who reads the tool's output to its end waits for the container alone, not for who watches it"""
    need_container()
    process = start(place, box(place, "echo ready; exec >&- 2>&-; sleep 60"))
    equal(process.stdout.readline(), "ready\n")
    with open(place.path + "/pid", encoding="ascii") as file:
        pid = int(file.read())
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        keeper = int(file.read().split()[3])
    ok(keeper != process.pid, "nobody is between")
    os.kill(keeper, signal.SIGSTOP)
    try:
        process.kill()
        equal(process.communicate(timeout=tool.TIMEOUT), ("", ""))
    finally:
        os.kill(keeper, signal.SIGCONT)


TESTS = [daemons, many_daemons, orphans, stopped_keeper, traced_end, traced_hook, killed,
         killed_group, early, failed, output_ends]
# Where it fails, the machine runs out of process numbers for a while.
if os.environ.get("INITSYNC_LONG"):
    TESTS.append(replaced)

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
